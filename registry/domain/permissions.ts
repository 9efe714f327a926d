export const actions = ['read', 'annotate', 'deploy', 'delete', 'manage'] as const
export type Action = (typeof actions)[number]

/** Which of the principal's rights count, when a token is good for less than its owner may do. */
export interface Limit {
  readonly repository: string
  /** Ant pattern over `<image>/<tag>`. */
  readonly pattern: string
  readonly actions: readonly Action[]
}

export interface UserPrincipal {
  readonly kind: 'user'
  readonly name: string
  /** May do everything. */
  readonly admin: boolean
  readonly groups: readonly string[]
  /** What a token that is for groups is good for: nothing that targets give to the user by name. */
  readonly rights?: 'of groups' | undefined
  /** Only what one of these allows. Undefined: everything that the user may. */
  readonly limits?: readonly Limit[] | undefined
}

export type Principal = { readonly kind: 'anonymous' } | UserPrincipal

export const anonymous: Principal = { kind: 'anonymous' }

/** The user whose rights in permission targets are those of everybody who has not logged in. */
export const anonymousName = 'anonymous'
