import { isAntPattern } from '../domain/ant-pattern.ts'
import { RegistryError } from '../domain/errors.ts'
import { isRepositoryKey } from '../domain/names.ts'
import { actions, type Action, type Limit, type UserPrincipal } from '../domain/permissions.ts'
import { isUserName } from '../domain/user-name.ts'

/** What an access token is good for, in Artifactory's words ("Create Token": scope). */
export type TokenScope =
  /** `applied-permissions/user`: all that its user may do. */
  | { readonly kind: 'user' }
  /** `applied-permissions/admin`. */
  | { readonly kind: 'admin' }
  /** `applied-permissions/groups:a,b`, or the older `member-of-groups:a,b`: what members of these may do, or of that what `artifact:` names. */
  | { readonly kind: 'groups'; readonly groups: readonly string[]; readonly limits?: readonly Limit[] | undefined }
  /** `artifact:<repository>[/<pattern>]:r,w,n,d,m`: of what its user may do, only this. */
  | { readonly kind: 'limits'; readonly limits: readonly Limit[] }

export const userScope = 'applied-permissions/user'

/** `a` is what newer versions of Artifactory write for annotate. */
const letters: Readonly<Record<string, readonly Action[]>> = {
  r: ['read'],
  w: ['deploy'],
  n: ['annotate'],
  a: ['annotate'],
  d: ['delete'],
  m: ['manage'],
  '*': actions,
}

/** Several are divided by spaces. Throws BAD_REQUEST, naming the one that is not understood. */
export function parseTokenScope(text: string): TokenScope {
  const parsed = text
    .split(' ')
    .filter((word) => word !== '' && word !== 'api:*')
    .map(parseOne)
  const [first, ...others] = parsed
  if (!first) return { kind: 'user' }
  const limits = parsed.flatMap((scope) => (scope.kind === 'limits' ? scope.limits : []))
  const groups = parsed.flatMap((scope) => (scope.kind === 'groups' ? scope.groups : []))
  if (parsed.every(({ kind }) => kind === 'limits')) return { kind: 'limits', limits }
  if (parsed.every(({ kind }) => kind === 'limits' || kind === 'groups'))
    return { kind: 'groups', groups, limits: limits.length > 0 ? limits : undefined }
  if (others.length === 0) return first
  throw new RegistryError('BAD_REQUEST', { message: `scopes of different kinds in one token: ${text}` })
}

function parseOne(word: string): TokenScope {
  if (word === userScope) return { kind: 'user' }
  if (word === 'applied-permissions/admin') return { kind: 'admin' }
  const groups = /^(?:applied-permissions\/groups|member-of-groups):(.+)$/.exec(word)?.[1]?.split(',')
  if (groups?.every(isUserName)) return { kind: 'groups', groups }
  const limit = parseLimit(word)
  if (limit) return { kind: 'limits', limits: [limit] }
  throw new RegistryError('BAD_REQUEST', {
    message:
      `the scope "${word}" is not understood: expected ${userScope}, applied-permissions/admin, ` +
      'applied-permissions/groups:<group>,<group> or artifact:<repository>[/<pattern>]:<r,w,n,d,m or *>',
  })
}

function parseLimit(word: string): Limit | undefined {
  const [, repository = '', pattern = '**', words = ''] =
    /^artifact:([^/:]+)(?:\/([^:]+))?:([a-z*,]+)$/.exec(word) ?? []
  if ((repository !== 'ANY' && !isRepositoryKey(repository)) || !isAntPattern(pattern)) return undefined
  const named = words.split(',').map((letter) => letters[letter])
  const allowed = named.flatMap((actions) => actions ?? [])
  return named.includes(undefined) ? undefined : { repository, pattern, actions: [...new Set(allowed)] }
}

/** Whoever shows the token. It may have become less than the token was made for. */
export function withinScope(user: UserPrincipal, scope: TokenScope): UserPrincipal {
  switch (scope.kind) {
    case 'user':
      return user
    case 'admin':
      return { ...user, admin: true }
    case 'groups':
      return {
        kind: 'user',
        name: user.name,
        admin: false,
        groups: scope.groups,
        rights: 'of groups',
        limits: scope.limits,
      }
    case 'limits':
      return { ...user, limits: scope.limits }
  }
}
