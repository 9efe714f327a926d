import { Command } from 'commander'
import { suggestion } from '../registry/domain/nearest.ts'
import { checkName } from '../registry/domain/user-name.ts'
import type { GroupRecord } from '../registry/storage/access-store.ts'
import { changeAccess, existingUser, withAccess, type Access, type ChangingAccess } from './access.ts'

/** Works on the database itself, beside a running registry or without one. */
export function groupCommand(): Command {
  return new Command('group')
    .description('groups of users: add, list and remove them, let users join and leave')
    .addCommand(addCommand())
    .addCommand(listCommand())
    .addCommand(removeCommand())
    .addCommand(joinCommand())
    .addCommand(leaveCommand())
}

interface AddOptions {
  readonly description: string
  readonly autoJoin: boolean
  readonly admins: boolean
}

function addCommand(): Command {
  return new Command('add')
    .argument('<name>')
    .description('add a group')
    .option('--description <text>', 'for people', '')
    .option('--auto-join', 'new users become members', false)
    .option('--admins', 'its members may do everything', false)
    .action(async (name: string, options: AddOptions, command: Command) => {
      checkName('group', name)
      await changeAccess(command, async ({ administration, record }) => {
        if (await administration.findGroup(name)) throw new Error(`there is a group ${name} already`)
        const { description, autoJoin, admins } = options
        await administration.putGroup({ name, description, autoJoin, admins })
        await record({ type: 'access.changed', subject: `group ${name}`, action: 'created' })
      })
      console.log(`added the group ${name}`)
    })
}

function listCommand(): Command {
  return new Command('list')
    .description('name every group, and its members')
    .action(async (_options, command: Command) => {
      await withAccess(command, async (access) => {
        for (const group of await access.administration.listGroups()) console.log(await describe(group, access))
      })
    })
}

async function describe({ name, autoJoin, admins }: GroupRecord, { administration }: Access): Promise<string> {
  const remarks = [
    ...(admins ? ['admins'] : []),
    ...(autoJoin ? ['new users join'] : []),
    ...(administration.declared.groups.has(name) ? ['in the configuration file'] : []),
  ]
  const members = await administration.membersOf(name)
  return `${name}${remarks.length > 0 ? ` (${remarks.join(', ')})` : ''}: ${members.join(', ') || 'nobody'}`
}

function removeCommand(): Command {
  return new Command('remove')
    .argument('<name>')
    .description('remove a group, and with it its permissions')
    .action(async (name: string, _options, command: Command) => {
      await changeAccess(command, async (access) => {
        if (!(await access.administration.removeGroup(name))) throw await unknownGroup(access, name)
        await access.record({ type: 'access.changed', subject: `group ${name}`, action: 'deleted' })
      })
      console.log(`removed the group ${name}`)
    })
}

function joinCommand(): Command {
  return new Command('join')
    .argument('<group>')
    .argument('<user...>')
    .description('make users members')
    .action(async (group: string, users: readonly string[], _options, command: Command) => {
      await changeAccess(command, async (access) => {
        for (const user of users) {
          await existingUser(access, user)
          await access.administration.addMember(group, user)
          await recordMembership(access, user, `joins ${group}`)
        }
      })
      console.log(`${users.join(', ')} joined ${group}`)
    })
}

function leaveCommand(): Command {
  return new Command('leave')
    .argument('<group>')
    .argument('<user...>')
    .description('take users out')
    .action(async (group: string, users: readonly string[], _options, command: Command) => {
      await changeAccess(command, async (access) => {
        for (const user of users) {
          const left = await access.administration.removeMember(group, user)
          if (!left) throw new Error(`${user} is not in the group ${group}`)
          await recordMembership(access, user, `leaves ${group}`)
        }
      })
      console.log(`${users.join(', ')} left ${group}`)
    })
}

async function recordMembership({ record }: ChangingAccess, user: string, reason: string): Promise<void> {
  await record({ type: 'access.changed', subject: `user ${user}`, action: 'changed', reason })
}

async function unknownGroup({ administration }: Access, name: string): Promise<Error> {
  const known = (await administration.listGroups()).map(({ name }) => name)
  return new Error(`there is no group ${name}${suggestion(name, known)}`)
}
