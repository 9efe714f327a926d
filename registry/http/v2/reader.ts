import { principalOf, type Caller } from '../../identity/authenticate.ts'
import type { Reader } from '../../repositories/repository.ts'
import type { Services } from '../services.ts'

/** The caller, to a repository whose members are others. A token names what the client asked for, and not what that leads to. */
export function readerOf({ directory }: Services, caller: Caller, namespace: string | undefined): Reader {
  const principal = principalOf(caller)
  const unlimited = principal.kind === 'user' && principal.limits ? { ...principal, limits: undefined } : principal
  return {
    namespace,
    tagsOf: async (action, { repository, image }, through) =>
      (await directory.rules()).tagsOf(principal, action, repository, image, through),
    // What a token is limited to is what it may read. That a cache has to fetch it is a matter of who it is for.
    mayFetch: async ({ repository, image }, through) =>
      (await directory.rules()).tagsOf(unlimited, 'deploy', repository, image, through),
  }
}
