import type { ImageName, RepositoryKey } from './names.ts'

export const actions = ['read', 'deploy', 'delete'] as const
export type Action = (typeof actions)[number]

export type Principal =
  { readonly kind: 'anonymous' } | { readonly kind: 'user'; readonly name: string; readonly admin: boolean }

export const anonymous: Principal = { kind: 'anonymous' }

export interface AccessSettings {
  readonly anonymousAccess: boolean
  /** Everywhere, nowhere, or the repositories where a login is asked for although anonymous access is on. */
  readonly forceAuthentication: boolean | readonly string[]
}

/** Whether `principal` may do `action`; without an image, whether it may do so with some image of the repository. */
export function permits(
  principal: Principal,
  action: Action,
  repository: RepositoryKey,
  image: ImageName | undefined,
  settings: AccessSettings,
): boolean {
  switch (principal.kind) {
    case 'anonymous':
      return action === 'read' && settings.anonymousAccess && !forcesLogin(settings, repository)
    case 'user':
      return principal.admin || action !== 'delete'
  }
}

function forcesLogin({ forceAuthentication }: AccessSettings, repository: RepositoryKey): boolean {
  if (typeof forceAuthentication === 'boolean') return forceAuthentication
  return forceAuthentication.includes(repository)
}
