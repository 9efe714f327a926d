import type { Logger } from 'pino'
import type { AntPattern } from '../../domain/ant-pattern.ts'
import { RegistryError } from '../../domain/errors.ts'
import { parseManifest, type Manifest, type ManifestContents } from '../../domain/manifest.ts'
import type { ImageName, ImageRef, Reference, RepositoryKey, Tag } from '../../domain/names.ts'
import type { ImageCache } from '../../storage/image-cache.ts'
import type { Images } from '../../storage/metadata-store.ts'
import { UpstreamFailure, type Upstream } from '../upstream/upstream.ts'
import type { FoundManifest, Lookup } from '../repository.ts'
import { Flights } from './flights.ts'
import type { Freshness } from './freshness.ts'
import { isStorageFull, orFailing, refusalFor } from './upstream-errors.ts'

/** What every part of a remote repository works with. `image` is always the name that is kept here. */
export interface RemoteParts {
  readonly key: RepositoryKey
  readonly settings: RemoteSettings
  readonly upstream: Upstream
  /** What the upstream calls an image. */
  readonly nameThere: (image: ImageName) => ImageName
  readonly metadata: Images & ImageCache
  readonly freshness: Freshness
  readonly log: Logger
}

export interface RemoteSettings {
  readonly offline: boolean
  readonly hardFail: boolean
  readonly storeArtifactsLocally: boolean
  /** What of the upstream there is here. */
  readonly includes: AntPattern
}

/**
 * Manifests of the upstream: by digest for ever, by tag as long as the upstream was asked lately. A tag is asked for by HEAD first, which
 * Docker Hub does not count. Whoever asks for the same one meanwhile waits for the same answer.
 */
export class CachedManifests {
  readonly #parts: RemoteParts
  readonly #flights = new Flights<FoundManifest | undefined>()

  constructor(parts: RemoteParts) {
    this.#parts = parts
  }

  /** Throws MANIFEST_UNKNOWN, UNAVAILABLE or TOOMANYREQUESTS when it is not here and the upstream cannot be asked. */
  async find(image: ImageName, reference: Reference, { use, from }: Lookup): Promise<FoundManifest | undefined> {
    const { key, metadata, settings } = this.#parts
    const of = this.#of(image)
    const kept = await metadata.findManifest(of, reference, use)
    if (kept && 'digest' in reference) return { ...kept, cache: { kind: 'hit' } }
    if (settings.offline) return kept && { ...kept, cache: { kind: 'stale', because: `${key} is offline` } }
    if (from === 'here') return kept && { ...kept, cache: { kind: 'hit' } }
    const thing = manifestThing(of, reference)
    const known = await this.#parts.freshness.of(thing)
    switch (known?.kind) {
      case 'fresh':
        if (kept) return { ...kept, cache: { kind: 'hit' } }
        break
      case 'absent':
        return undefined
      case 'postponed':
        if (kept) return { ...kept, cache: { kind: 'stale', because: known.because } }
        break
      case undefined:
    }
    return this.#flights.join(thing, () => this.#ask(of, reference, kept, thing))
  }

  async #ask(
    of: ImageRef,
    reference: Reference,
    kept: Manifest | undefined,
    thing: string,
  ): Promise<FoundManifest | undefined> {
    const { freshness, log, settings } = this.#parts
    return orFailing<FoundManifest | undefined>(
      async () => {
        const found =
          kept && 'tag' in reference
            ? await this.#revalidate(of, reference.tag, kept)
            : await this.#fetch(of, reference)
        if (!found) await freshness.miss(thing)
        return found
      },
      async (failure) => {
        log.warn(
          { ...of, ...reference, err: failure },
          kept
            ? 'a cached manifest is served, for the upstream cannot be asked'
            : 'the upstream cannot be asked for a manifest',
        )
        if (!kept) throw refusalFor(failure, 'MANIFEST_UNKNOWN', settings)
        await freshness.postpone(thing, failure.message)
        return { ...kept, cache: { kind: 'stale', because: failure.message } }
      },
    )
  }

  /** What the tag is on now; undefined when the upstream has it no more. */
  async #revalidate(of: ImageRef, tag: Tag, kept: Manifest): Promise<FoundManifest | undefined> {
    const { upstream, metadata, nameThere, freshness } = this.#parts
    const head = await upstream.manifestHead(nameThere(of.image), { tag }, kept.digest)
    if (!head) return undefined
    if (head.digest === kept.digest) {
      await freshness.confirm(manifestThing(of, { tag }))
      return { ...kept, cache: { kind: 'hit' } }
    }
    const moved = head.digest && (await metadata.findManifest(of, { digest: head.digest }))
    if (!moved) return this.#fetch(of, { tag })
    await this.#keep(of, { tag }, moved, parseManifest(moved.mediaType, moved.bytes))
    return { ...moved, cache: { kind: 'hit' } }
  }

  async #fetch(of: ImageRef, reference: Reference): Promise<FoundManifest | undefined> {
    const { upstream, nameThere, settings } = this.#parts
    const manifest = await upstream.manifest(nameThere(of.image), reference)
    if (!manifest) return undefined
    const contents = contentsOf(manifest, upstream.name)
    if (settings.storeArtifactsLocally) await this.#keep(of, reference, manifest, contents)
    return { ...manifest, cache: { kind: 'miss' } }
  }

  /** Not on a full disk: then the upstream is asked again the next time. */
  async #keep(of: ImageRef, reference: Reference, manifest: Manifest, contents: ManifestContents): Promise<void> {
    const { metadata, freshness, log } = this.#parts
    try {
      await metadata.cacheManifest(of, manifest, contents, 'tag' in reference ? reference.tag : undefined)
      await freshness.confirm(manifestThing(of, reference))
    } catch (error) {
      if (!isStorageFull(error)) throw error
      log.error({ ...of, ...reference, err: error }, 'a manifest is passed on and not cached: the disk is full')
    }
  }

  #of(image: ImageName): ImageRef {
    return { repository: this.#parts.key, image }
  }
}

/** How {@link Freshness} knows a manifest. */
export function manifestThing({ image }: ImageRef, reference: Reference): string {
  return 'tag' in reference ? `manifest ${image}:${reference.tag}` : `manifest ${image}@${reference.digest}`
}

/** Throws {@link UpstreamFailure} when it is not what its media type says. */
function contentsOf({ mediaType, bytes }: Manifest, upstream: string): ManifestContents {
  try {
    return parseManifest(mediaType, bytes)
  } catch (cause) {
    if (!(cause instanceof RegistryError)) throw cause
    throw new UpstreamFailure('wrong', `${upstream} answered with a manifest that is none: ${cause.message}`, { cause })
  }
}
