import type { Digest } from '../../domain/digest.ts'
import { RegistryError } from '../../domain/errors.ts'
import type { ImageRef } from '../../domain/names.ts'
import { principalOf } from '../../identity/authenticate.ts'
import { isReachable } from '../../repositories/reachable.ts'
import { tagsOfPrincipal } from './access.ts'
import { resolveName, splitName } from './address.ts'
import { pushTargetOf, type ImageCall } from './call.ts'
import { readerOf } from './reader.ts'

/**
 * Whether the image now has the blob, from the image named or, when none is, from any. A source that is unknown or may not
 * be read is no error: the client then uploads (OCI distribution 1.1, "Mounting a blob from another repository").
 */
export async function mountBlob(call: ImageCall<'uploads'>, digest: Digest, from: string | null): Promise<boolean> {
  const target = pushTargetOf(call)
  const sources = from === null ? await target.mountSources(digest) : [...sourcesNamed(call, from)]
  for (const source of sources)
    for (const holder of await holdersFor(call, source, digest))
      if (await target.mount(call.image, digest, holder)) return true
  return false
}

/**
 * Where the blob lies in what the caller may read of the source. A token names the image that is pushed to and seldom the source, since the challenge cannot know of it; what else may be
 * read is a matter of whom it was given to.
 */
async function holdersFor(
  { services, caller }: ImageCall<'uploads'>,
  source: ImageRef,
  digest: Digest,
): Promise<readonly ImageRef[]> {
  const repository = services.repositories.find(source.repository)?.seenBy(readerOf(services, caller, undefined))
  if (!repository) return []
  const readable = await tagsOfPrincipal(services, principalOf(caller), 'read', source)
  const mayRead = readable.extent !== 'none' && (await isReachable(repository, source, digest, readable))
  return mayRead ? repository.holders(source.image, digest) : []
}

/** A name on a host that stands for one repository is that repository's, or begins with the key of another one. */
function* sourcesNamed({ address }: ImageCall<'uploads'>, from: string): Generator<ImageRef> {
  const named = orNothing(() => resolveName(address, from))
  if (named) yield named
  const spelledOut = address.key === undefined ? undefined : orNothing(() => splitName(from))
  if (spelledOut) yield spelledOut
}

function orNothing(resolve: () => ImageRef): ImageRef | undefined {
  try {
    return resolve()
  } catch (error) {
    if (error instanceof RegistryError) return undefined
    throw error
  }
}
