import type { ImageName } from '../../registry/domain/names.ts'
import { openRequests } from '../../registry/repositories/upstream/open-requests.ts'
import { openUpstream } from '../../registry/repositories/upstream/registry-client.ts'
import type { UpstreamObserver } from '../../registry/repositories/upstream/upstream.ts'
import { stat } from 'node:fs/promises'
import { convertedImages } from './converted-images.ts'
import { directoryFiles } from './directory-files.ts'
import { distributionStorage } from './distribution-storage.ts'
import { dockerArchive } from './docker-archive.ts'
import type { Files } from './files.ts'
import { ociLayout } from './oci-layout.ts'
import { PackedLayers } from './packed-layers.ts'
import type { Place } from './place.ts'
import { remoteConfigOf, requestsOptionsOf, type RegistryOptions } from './registry-options.ts'
import { registrySource } from './registry-source.ts'
import type { Source } from './source.ts'
import { maxManifestBytes } from './stored-manifest.ts'
import { tarFiles } from './tar-files.ts'
import { v1Archive } from './v1-archive.ts'
import { V1Registry } from './v1-registry.ts'
import { V1Requests } from './v1-requests.ts'
import { v1Storage } from './v1-storage.ts'

export const nobodyWatches: UpstreamObserver = { answered() {}, received() {}, rateLimit() {} }

export interface SourceOptions {
  readonly registry: RegistryOptions
  /** What an image is called that the source has no name for. */
  readonly unnamed: ImageName | undefined
  /** Directory for layers that have to be rewritten; kept when it is given. Default: a temporary one. */
  readonly scratch: string | undefined
}

/** Rejects when there is nothing that could be read. */
export async function openSource(place: Place, { registry, unnamed, scratch }: SourceOptions): Promise<Source> {
  if (place.kind === 'docker') {
    const config = remoteConfigOf(place.host, registry)
    const options = await requestsOptionsOf(registry, 'source')
    return registrySource(await openUpstream(config, nobodyWatches, { ...options, maxManifestBytes }))
  }
  await using opened = new AsyncDisposableStack()
  const layers = opened.use(await PackedLayers.open(scratch))
  const source = await openThere(place, layers, { registry, unnamed })
  const kept = opened.move()
  return {
    ...source,
    async [Symbol.asyncDispose]() {
      await source[Symbol.asyncDispose]()
      await kept.disposeAsync()
    },
  }
}

/** What needs a directory of its own. */
async function openThere(
  place: Exclude<Place, { readonly kind: 'docker' }>,
  layers: PackedLayers,
  { registry, unnamed }: Pick<SourceOptions, 'registry' | 'unnamed'>,
): Promise<Source> {
  switch (place.kind) {
    case 'docker-v1': {
      const options = await requestsOptionsOf(registry, 'source')
      const open = await openRequests(remoteConfigOf(place.host, registry), nobodyWatches, options)
      return convertedImages(new V1Registry(new V1Requests(open, options.login)), layers)
    }
    case 'docker-registry':
      return convertedImages(v1Storage(await directoryFiles(place.path)), layers)
    case 'distribution':
      return distributionStorage(await directoryFiles(place.path))
    case 'oci':
      return await ociLayout(await filesAt(place.path, layers), unnamed)
    case 'docker-archive': {
      const files = await filesAt(place.path, layers)
      return (await dockerArchive(files, layers, unnamed)) ?? convertedImages(await v1Archive(files), layers)
    }
  }
}

async function filesAt(path: string, { directory }: PackedLayers): Promise<Files> {
  return (await stat(path)).isDirectory() ? await directoryFiles(path) : await tarFiles(path, directory)
}
