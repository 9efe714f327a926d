import { Command, InvalidArgumentError } from 'commander'
import { suggestion } from '../registry/domain/nearest.ts'
import {
  problemWithPattern,
  unknownRepository,
  type Grants,
  type PermissionTarget,
} from '../registry/domain/permission-target.ts'
import { actions, anonymousName, type Action } from '../registry/domain/permissions.ts'
import { checkName, isUserName } from '../registry/domain/user-name.ts'
import { changeAccess, withAccess, type Access } from './access.ts'
import { each } from './options.ts'
import { checkCommand } from './permission-check.ts'

/** Works on the database itself, beside a running registry or without one. */
export function permissionCommand(): Command {
  return new Command('permission')
    .description('who may do what where: set, show, list and remove permission targets, and ask what they come to')
    .addCommand(setCommand())
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(removeCommand())
    .addCommand(checkCommand())
}

interface SetOptions {
  readonly repository: readonly string[]
  readonly include: readonly string[]
  readonly exclude: readonly string[]
  readonly user: Grants
  readonly group: Grants
}

function setCommand(): Command {
  return new Command('set')
    .argument('<name>')
    .description('make a permission target, or replace it; what can be named may be named several times')
    .option('--repository <key>', 'a repository, or ANY, "ANY LOCAL", "ANY REMOTE"', each, [])
    .option('--include <pattern>', 'Ant pattern over <image>/<tag> (default: **)', each, [])
    .option('--exclude <pattern>', 'Ant pattern over <image>/<tag> that it is not about', each, [])
    .option(
      '--user <name=actions>',
      `alice=read,deploy of ${actions.join(',')}; anonymous: everybody`,
      grantTo(isHolder),
      {},
    )
    .option('--group <name=actions>', 'what the members of a group may do', grantTo(isUserName), {})
    .action(async (name: string, options: SetOptions, command: Command) => {
      checkName('permission target', name)
      if (options.repository.length === 0) command.error('error: name at least one --repository, or ANY')
      const { repository: repositories, exclude: excludes, user: users, group: groups } = options
      const includes = options.include.length > 0 ? options.include : ['**']
      const isNew = await changeAccess(command, async (access) => {
        const target = { name, repositories, includes, excludes, users, groups }
        checkTarget(target, access)
        const isNew = await access.administration.putTarget(target)
        const action = isNew ? 'created' : 'changed'
        await access.record({ type: 'access.changed', subject: `permission ${name}`, action })
        return isNew
      })
      console.log(`${isNew ? 'made' : 'replaced'} ${name}`)
    })
}

function checkTarget({ repositories, includes, excludes }: PermissionTarget, access: Access): void {
  const problem =
    unknownRepository(repositories, access.repositories) ??
    [...includes, ...excludes].map(problemWithPattern).find((problem) => problem !== undefined)
  if (problem !== undefined) throw new Error(problem)
}

function isHolder(name: string): boolean {
  return name === anonymousName || isUserName(name)
}

/** Parses `<name>=<action>,<action>`. */
function grantTo(isName: (name: string) => boolean): (text: string, before: Grants) => Grants {
  return (text, before) => {
    const [, name = '', words = ''] = /^([^=]*)=(.*)$/.exec(text) ?? []
    if (!isName(name)) throw new InvalidArgumentError('expected a name, "=", and actions with commas between them')
    return { ...before, [name]: words.split(',').map(parseAction) }
  }
}

function parseAction(word: string): Action {
  const action = actions.find((action) => action === word)
  if (action) return action
  throw new InvalidArgumentError(`"${word}" is no action${suggestion(word, actions)}`)
}

function listCommand(): Command {
  return new Command('list').description('name every permission target').action(async (_options, command: Command) => {
    await withAccess(command, async ({ administration }) => {
      for (const { name } of await administration.listTargets())
        console.log(administration.declared.targets.has(name) ? `${name} (in the configuration file)` : name)
    })
  })
}

function showCommand(): Command {
  return new Command('show')
    .argument('<name>')
    .description('tell what a permission target is about, and who may do what there')
    .action(async (name: string, _options, command: Command) => {
      await withAccess(command, async (access) => {
        const target = await access.administration.findTarget(name)
        if (!target) throw await unknownTarget(access, name)
        console.log(describe(target).join('\n'))
      })
    })
}

function describe({ name, repositories, includes, excludes, users, groups }: PermissionTarget): readonly string[] {
  const granted = (word: string, grants: Grants) =>
    Object.entries(grants).map(([holder, actions]) => `  ${word} ${holder}=${actions.join(',')}`)
  return [
    name,
    ...repositories.map((repository) => `  repository ${repository}`),
    ...includes.map((pattern) => `  include ${pattern}`),
    ...excludes.map((pattern) => `  exclude ${pattern}`),
    ...granted('user', users),
    ...granted('group', groups),
  ]
}

function removeCommand(): Command {
  return new Command('remove')
    .argument('<name>')
    .description('remove a permission target')
    .action(async (name: string, _options, command: Command) => {
      await changeAccess(command, async (access) => {
        if (!(await access.administration.removeTarget(name))) throw await unknownTarget(access, name)
        await access.record({ type: 'access.changed', subject: `permission ${name}`, action: 'deleted' })
      })
      console.log(`removed ${name}`)
    })
}

async function unknownTarget({ administration }: Access, name: string): Promise<Error> {
  const known = (await administration.listTargets()).map(({ name }) => name)
  return new Error(`there is no permission target ${name}${suggestion(name, known)}`)
}
