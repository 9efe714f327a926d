import { Argument, Command } from 'commander'
import { admitsAnonymous } from '../registry/domain/access-rules.ts'
import { extentAt, reasonsAt, type Place, type Reason } from '../registry/domain/explain-access.ts'
import { isRepositoryKey, parseImageName, parseTag } from '../registry/domain/names.ts'
import { suggestion } from '../registry/domain/nearest.ts'
import { actions, anonymous, anonymousName, type Action, type Principal } from '../registry/domain/permissions.ts'
import { principalFor } from '../registry/identity/principal.ts'
import { existingUser, withAccess, type Access } from './access.ts'

/** Ends with 1 when the answer is no, or not for all tags. */
export function checkCommand(): Command {
  return new Command('check')
    .argument('<user>', 'or anonymous')
    .addArgument(new Argument('<action>').choices(actions))
    .argument('<repository/image[:tag]>')
    .description('whether a user may do something, and by which permission target')
    .action(async (name: string, action: Action, path: string, _options, command: Command) => {
      await withAccess(command, async (access) => {
        const { isYes, lines } = await answer(access, name, action, path)
        console.log(lines.join('\n'))
        if (!isYes) process.exitCode = 1
      })
    })
}

async function answer(access: Access, name: string, action: Action, path: string) {
  const place = parsePlace(path, access.repositories)
  const principal = await principalCalled(access, name)
  if (principal.kind === 'user' && principal.admin)
    return { isYes: true, lines: [`yes: ${name} is an admin, who may do everything`] }
  const targets = await access.administration.listTargets()
  const extent = extentAt(targets, access.settings, principal, action, place)
  const reasons = reasonsAt(targets, access.settings, principal, place)
  const decisive = reasons.filter(({ grants }) => grants.some((grant) => grant.actions.includes(action)))
  switch (extent) {
    case 'all':
      return { isYes: true, lines: [`yes: ${name} has ${action} on ${path}`, ...decisive.map(describe)] }
    case 'some':
      return {
        isYes: false,
        lines: [`depends on the tag: ${name} has ${action} on some tags of ${path}`, ...decisive.map(describe)],
      }
    case 'none':
      return {
        isYes: false,
        lines: [`no: ${name} does not have ${action} on ${path}`, ...remarks(reasons, access, principal, place)],
      }
  }
}

function describe({ target, grants }: Reason): string {
  return `  ${target}: ${grants.map(({ holder, actions }) => `${holder} has ${actions.join(', ')}`).join('; ')}`
}

function remarks(reasons: readonly Reason[], { settings }: Access, principal: Principal, { repository }: Place) {
  if (reasons.length > 0) return reasons.map(describe)
  if (principal.kind === 'anonymous' && !admitsAnonymous(settings, repository))
    return ['  whoever has not logged in is asked to there']
  return ['  no permission target allows anything there']
}

async function principalCalled(access: Access, name: string): Promise<Principal> {
  if (name === anonymousName) return anonymous
  return principalFor(access.administration, await existingUser(access, name))
}

function parsePlace(path: string, repositories: readonly string[]): Place {
  const [, key = '', image = '', tag] = /^([^/]+)\/([^:]+)(?::(.+))?$/.exec(path) ?? []
  if (key === '') throw new Error(`"${path}" is no image: expected <repository>/<image> or <repository>/<image>:<tag>`)
  if (!isRepositoryKey(key) || !repositories.includes(key))
    throw new Error(`there is no repository ${key}${suggestion(key, repositories)}`)
  return { repository: key, image: parseImageName(image), tag: tag === undefined ? undefined : parseTag(tag) }
}
