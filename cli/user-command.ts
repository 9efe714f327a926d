import { Command } from 'commander'
import { checkName } from '../registry/domain/user-name.ts'
import type { AccessAdministration } from '../registry/identity/access-administration.ts'
import { checkNewPassword, hashPassword } from '../registry/identity/passwords.ts'
import { principalFor } from '../registry/identity/principal.ts'
import type { UserRecord } from '../registry/storage/access-store.ts'
import { changeAccess, existingUser, withAccess } from './access.ts'
import { askPassword } from './ask-password.ts'
import { each, email } from './options.ts'

/** Works on the database itself, beside a running registry or without one. */
export function userCommand(): Command {
  return new Command('user')
    .description('users and robots: add, show, list and remove them, change the password')
    .addCommand(addCommand())
    .addCommand(passwordCommand())
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(removeCommand())
}

interface AddOptions {
  readonly admin: boolean
  readonly robot: boolean
  readonly email?: string
  readonly group: readonly string[]
}

function addCommand(): Command {
  return new Command('add')
    .argument('<name>')
    .description('add a user; the password is asked for, or read from standard input')
    .option('--admin', 'who may do everything', false)
    .option('--robot', 'who has tokens and no password', false)
    .option('--email <address>', 'for people, and for the .dockercfg entry', email)
    .option('--group <name>', 'a group besides those that new users join; may be repeated', each, [])
    .action(async (name: string, options: AddOptions, command: Command) => {
      checkName('user', name)
      const passwordHash = options.robot ? undefined : await newPasswordHash()
      await changeAccess(command, async ({ administration, record }) => {
        const user = { ...blank, name, passwordHash, admin: options.admin, email: options.email }
        const kind = options.robot ? 'robot' : 'user'
        if (!(await administration.addUser({ ...user, kind }, options.group)))
          throw new Error(`there is a user ${name} already; "caisson user password ${name}" changes the password`)
        await record({ type: 'access.changed', subject: `user ${name}`, action: 'created' })
      })
      console.log(`added ${name}`)
    })
}

const blank = { realm: 'internal', realmGroups: [], lastLogin: undefined } as const

function passwordCommand(): Command {
  return new Command('password')
    .argument('<name>')
    .description('change the password, which is asked for or read from standard input')
    .action(async (name: string, _options, command: Command) => {
      const passwordHash = await newPasswordHash()
      await changeAccess(command, async ({ administration, record }) => {
        const changed = await administration.changeUser(name, { passwordHash })
        if (changed !== 'done') throw unknownUser(name)
        await record({ type: 'access.changed', subject: `user ${name}`, action: 'changed', reason: 'password' })
      })
      console.log(`changed the password of ${name}`)
    })
}

function listCommand(): Command {
  return new Command('list').description('name every user').action(async (_options, command: Command) => {
    await withAccess(command, async ({ administration }) => {
      for (const user of await administration.listUsers()) {
        const remarks = remarksOf(user, administration)
        console.log(remarks.length > 0 ? `${user.name} (${remarks.join(', ')})` : user.name)
      }
    })
  })
}

function remarksOf({ name, admin, kind, realm }: UserRecord, { declared }: AccessAdministration): readonly string[] {
  return [
    ...(admin ? ['admin'] : []),
    ...(kind === 'robot' ? ['robot'] : []),
    ...(realm === 'internal' ? [] : [`from ${realm}`]),
    ...(declared.users.has(name) ? ['in the configuration file'] : []),
  ]
}

function showCommand(): Command {
  return new Command('show')
    .argument('<name>')
    .description('tell what is known of a user')
    .action(async (name: string, _options, command: Command) => {
      await withAccess(command, async (access) => {
        const user = await existingUser(access, name)
        const { admin, groups } = await principalFor(access.administration, user)
        console.log([user.name, ...remarksOf({ ...user, admin }, access.administration)].join(', '))
        if (user.email !== undefined) console.log(`  email ${user.email}`)
        for (const group of groups) console.log(`  in the group ${group}`)
        if (user.lastLogin) console.log(`  logged in last at ${user.lastLogin.toISOString()}`)
        const tokens = await access.tokens.list(name)
        if (tokens.length > 0) console.log(`  ${tokens.length} tokens: caisson token list ${name}`)
      })
    })
}

function removeCommand(): Command {
  return new Command('remove')
    .argument('<name>')
    .description('remove a user, and with it its tokens and permissions')
    .action(async (name: string, _options, command: Command) => {
      await changeAccess(command, async ({ administration, record }) => {
        switch (await administration.removeUser(name)) {
          case 'done':
            return record({ type: 'access.changed', subject: `user ${name}`, action: 'deleted' })
          case 'unknown':
            throw unknownUser(name)
          case 'last admin':
            throw new Error(`${name} is the last admin; add another one first: caisson user add --admin <name>`)
        }
      })
      console.log(`removed ${name}`)
    })
}

async function newPasswordHash(): Promise<string> {
  const password = await askPassword()
  checkNewPassword(password)
  return await hashPassword(password)
}

function unknownUser(name: string): Error {
  return new Error(`there is no user ${name}; "caisson user list" names them all`)
}
