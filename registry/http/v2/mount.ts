import type { Digest } from '../../domain/digest.ts'
import { RegistryError } from '../../domain/errors.ts'
import type { ImageName, RepositoryKey } from '../../domain/names.ts'
import { callerMay } from './access.ts'
import { resolveName, splitName } from './address.ts'
import { pushTargetOf, type ImageCall } from './call.ts'

interface Source {
  readonly repository: RepositoryKey
  readonly image: ImageName
}

/**
 * Whether the image now has the blob. A source that is unknown or may not be read is no error: the client then uploads
 * (OCI distribution 1.1, "Mounting a blob from another repository").
 */
export async function mountBlob(call: ImageCall<'uploads'>, digest: Digest, from: string | null): Promise<boolean> {
  const target = pushTargetOf(call)
  for (const source of from === null ? [] : sourcesOf(call, from)) {
    const readable = callerMay(call.services, call.caller, 'read', source.repository, source.image)
    if (readable && (await target.mount(call.image, digest, source))) return true
  }
  return false
}

/** A name on a host that stands for one repository is that repository's, or begins with the key of another one. */
function* sourcesOf({ address, services }: ImageCall<'uploads'>, from: string): Generator<Source> {
  const named = orNothing(() => resolveName(address, from))
  if (named) yield named
  const spelledOut = address.key === undefined ? undefined : orNothing(() => splitName(from))
  if (spelledOut && services.repositories.find(spelledOut.repository)) yield spelledOut
}

function orNothing(resolve: () => Source): Source | undefined {
  try {
    return resolve()
  } catch (error) {
    if (error instanceof RegistryError) return undefined
    throw error
  }
}
