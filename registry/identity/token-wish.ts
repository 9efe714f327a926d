import { RegistryError } from '../domain/errors.ts'
import { suggestion } from '../domain/nearest.ts'
import { unknownRepository } from '../domain/permission-target.ts'
import { checkName } from '../domain/user-name.ts'
import type { AccessAdministration } from './access-administration.ts'
import { parseTokenScope, type TokenScope } from './token-scope.ts'

/** Artifactory's, where nobody says otherwise. */
export const usualLifeSeconds = 365 * 86_400
/** A hundred years; what is to last longer can be for ever. */
export const maxLifeSeconds = 36_500 * 86_400

interface Known {
  readonly administration: AccessAdministration
  /** Keys of all repositories. */
  readonly repositories: readonly string[]
}

/** What a token for `user` would be good for. Throws BAD_REQUEST for one that would be good for nothing: of a user or a repository that is not there. */
export async function checkTokenWish(
  user: string,
  scope: string | undefined,
  { administration, repositories }: Known,
): Promise<TokenScope> {
  const parsed = parseTokenScope(scope ?? '')
  const limits = 'limits' in parsed ? (parsed.limits ?? []) : []
  const problem = unknownRepository(
    limits.map(({ repository }) => repository),
    repositories,
  )
  if (problem !== undefined) throw new RegistryError('BAD_REQUEST', { message: problem })
  await checkUser(user, parsed, administration)
  return parsed
}

/** A token of groups, or of an admin, gives the name that it stands for whatever it may do. */
async function checkUser(user: string, { kind }: TokenScope, administration: AccessAdministration): Promise<void> {
  if (await administration.findUser(user)) return
  if (kind === 'groups' || kind === 'admin') return checkName('user', user)
  const names = (await administration.listUsers()).map(({ name }) => name)
  throw new RegistryError('BAD_REQUEST', { message: `there is no user ${user}${suggestion(user, names)}` })
}
