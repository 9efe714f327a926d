import type { ImageName } from '../../registry/domain/names.ts'
import { openUpstream } from '../../registry/repositories/upstream/registry-client.ts'
import type { UpstreamObserver } from '../../registry/repositories/upstream/upstream.ts'
import type { Place } from './place.ts'
import { remoteConfigOf, requestsOptionsOf, type RegistryOptions } from './registry-options.ts'
import { registrySource } from './registry-source.ts'
import type { Source } from './source.ts'

export const nobodyWatches: UpstreamObserver = { answered() {}, received() {}, rateLimit() {} }
const maxManifestBytes = 8 * 1024 * 1024

export interface SourceOptions {
  readonly registry: RegistryOptions
  /** What an image is called that the source has no name for. */
  readonly unnamed: ImageName | undefined
  /** Directory for layers that have to be rewritten; kept when it is given. Default: a temporary one. */
  readonly scratch: string | undefined
}

/** Rejects when there is nothing that could be read. */
export async function openSource(place: Place, { registry }: SourceOptions): Promise<Source> {
  switch (place.kind) {
    case 'docker': {
      const config = remoteConfigOf(place.host, registry)
      const options = await requestsOptionsOf(registry, 'source')
      return registrySource(await openUpstream(config, nobodyWatches, { ...options, maxManifestBytes }))
    }
    default:
      throw new Error(place.kind)
  }
}
