import { Command } from 'commander'
import { checkTokenWish, usualLifeSeconds } from '../registry/identity/token-wish.ts'
import type { TokenRecord } from '../registry/storage/access-store.ts'
import { changeAccess, withAccess } from './access.ts'
import { tokenLife } from './options.ts'

/** Works on the database itself, beside a running registry or without one. */
export function tokenCommand(): Command {
  return new Command('token')
    .description('access tokens, which work in place of a password: make, list and revoke them')
    .addCommand(createCommand())
    .addCommand(listCommand())
    .addCommand(revokeCommand())
}

interface CreateOptions {
  readonly scope?: string
  readonly expires?: number | 'never'
  readonly description: string
}

/** The token alone goes to standard output, so that a script can take it from there. */
function createCommand(): Command {
  return new Command('create')
    .argument('<user>')
    .description('make a token, which is printed once')
    .option('--scope <scope>', 'like artifact:docker-local/team/**:r,w (default: all that the user may do)')
    .option('--expires <duration>', 'how long it is good for, or never (default: 365d)', tokenLife)
    .option('--description <text>', 'for people', '')
    .action(async (user: string, options: CreateOptions, command: Command) => {
      const { token, record: made } = await changeAccess(command, async ({ administration, tokens, ...access }) => {
        const { scope, expires = usualLifeSeconds, description } = options
        const lifeSeconds = expires === 'never' ? undefined : expires
        await checkTokenWish(user, scope, { administration, repositories: access.repositories })
        const made = await tokens.make({ user, kind: 'access', scope, description, lifeSeconds })
        const reason = `for ${user}`
        await access.record({ type: 'token.made', subject: made.record.id, action: 'access', reason })
        return made
      })
      console.error(`its id is ${made.id}; it is good ${untilWhen(made)}, for ${made.scope}`)
      console.log(token)
    })
}

function listCommand(): Command {
  return new Command('list')
    .argument('[user]')
    .description('tell of every token, the newest first, with its id, or of those of one user')
    .action(async (user: string | undefined, _options, command: Command) => {
      await withAccess(command, async ({ tokens }) => {
        for (const token of await tokens.list(user)) console.log(describe(token))
      })
    })
}

function describe(token: TokenRecord): string {
  const { id, kind, user, scope, lastUsedAt, description } = token
  const used = lastUsedAt ? `last used ${lastUsedAt.toISOString()}` : 'never used'
  return [id, kind, user, scope, untilWhen(token), used, ...(description === '' ? [] : [description])].join('  ')
}

function untilWhen({ expiresAt }: TokenRecord): string {
  return expiresAt ? `until ${expiresAt.toISOString()}` : 'for ever'
}

function revokeCommand(): Command {
  return new Command('revoke')
    .argument('<id>')
    .description('end a token; what docker was given for it ends too')
    .action(async (id: string, _options, command: Command) => {
      await changeAccess(command, async ({ tokens, record }) => {
        const token = await tokens.find(id)
        if (!token || !(await tokens.revoke(id)))
          throw new Error(`there is no token with the id ${id}; "caisson token list" tells of them all`)
        const reason = `for ${token.user}`
        await record({ type: 'token.revoked', subject: id, action: token.kind, reason })
      })
      console.log(`revoked ${id}`)
    })
}
