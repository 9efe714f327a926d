import type { Upstream } from '../../registry/repositories/upstream/upstream.ts'
import type { Source } from './source.ts'

/** A registry of the V2 API. */
export function registrySource(upstream: Upstream & AsyncDisposable): Source {
  return {
    name: upstream.name,
    images: () => upstream.images(),
    tags: (image) => upstream.tags(image),
    digest: async (image, reference) =>
      'digest' in reference ? reference.digest : (await upstream.manifestHead(image, reference))?.digest,
    manifest: (image, reference) => upstream.manifest(image, reference),
    blob: (image, digest) => upstream.blob(image, digest, 0),
    referrers: async (image, subject) => (await upstream.referrers(image, subject)).map(({ digest }) => digest),
    [Symbol.asyncDispose]: () => upstream[Symbol.asyncDispose](),
  }
}
