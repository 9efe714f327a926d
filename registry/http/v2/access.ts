import type { ImageName, RepositoryKey } from '../../domain/names.ts'
import { anonymous, permits, type Action } from '../../domain/permissions.ts'
import type { Caller } from '../../identity/authenticate.ts'
import type { Services } from '../services.ts'

/** Whether the caller may, with what it showed: a token is good for what it says and no more. */
export function callerMay(
  { config }: Services,
  caller: Caller,
  action: Action,
  repository: RepositoryKey,
  image: ImageName,
): boolean {
  switch (caller.by) {
    case 'nothing':
      return permits(anonymous, action, repository, image, config)
    case 'password':
      return permits(caller.user, action, repository, image, config)
    case 'token':
      return caller.token.grants.some(
        (grant) => grant.repository === repository && grant.image === image && grant.actions.includes(action),
      )
  }
}
