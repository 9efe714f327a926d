import { RegistryError } from '../../domain/errors.ts'
import { isRepositoryKey, parseImageName, type ImageName, type RepositoryKey } from '../../domain/names.ts'
import type { Repositories } from '../../repositories/repositories.ts'
import type { Repository } from '../../repositories/repository.ts'
import type { ApiAddress } from '../api-address.ts'

/** With a key, that of the repository that the whole API stands for; without, the first segment of each name is the key. */
export type V2Address = ApiAddress

/** Which image of which repository `name` is. Throws NAME_INVALID, NAME_UNKNOWN. */
export function resolveName({ key }: V2Address, name: string): { repository: RepositoryKey; image: ImageName } {
  if (key !== undefined) return { repository: knownKey(key), image: parseImageName(name) }
  return splitName(name)
}

/**
 * The same for a client that takes us for a mirror of the registry `namespace` (containerd's `?ns=`): where the address has no repository
 * that there is, the whole name is that registry's. Throws NAME_INVALID, NAME_UNKNOWN.
 */
export function resolveNameFor(
  repositories: Repositories,
  address: V2Address,
  name: string,
  namespace: string | undefined,
): { repository: RepositoryKey; image: ImageName } {
  const mirror = namespace === undefined ? undefined : repositories.forNamespace(namespace)
  if (!mirror) return resolveName(address, name)
  const whole = address.key === undefined ? name : `${address.key}/${name}`
  const key = whole.slice(0, Math.max(0, whole.indexOf('/')))
  return repositories.find(key) ? resolveName(address, name) : { repository: mirror.key, image: parseImageName(whole) }
}

/** `<key>/<image>`. Throws NAME_INVALID, NAME_UNKNOWN. */
export function splitName(name: string): { repository: RepositoryKey; image: ImageName } {
  parseImageName(name)
  const slash = name.indexOf('/')
  if (slash === -1)
    throw new RegistryError('NAME_UNKNOWN', {
      message: 'the name has no repository key: expected <repository key>/<image>, like docker-local/hello',
      detail: { name },
    })
  return { repository: knownKey(name.slice(0, slash)), image: parseImageName(name.slice(slash + 1)) }
}

/** Throws NAME_UNKNOWN. */
export function findRepository(repositories: Repositories, key: string): Repository {
  const repository = repositories.find(key)
  if (repository) return repository
  throw repositoryUnknown(key)
}

function knownKey(key: string): RepositoryKey {
  if (isRepositoryKey(key)) return key
  throw repositoryUnknown(key)
}

function repositoryUnknown(key: string): RegistryError {
  return new RegistryError('NAME_UNKNOWN', { message: `there is no repository "${key}"`, detail: { repository: key } })
}
