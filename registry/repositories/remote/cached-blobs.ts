import type { Digest } from '../../domain/digest.ts'
import { RegistryError } from '../../domain/errors.ts'
import { sizeNamed } from '../../domain/manifest.ts'
import type { ImageName, ImageRef } from '../../domain/names.ts'
import type { BlobStore } from '../../storage/blob-store.ts'
import { blobOf } from '../kept-blobs.ts'
import type { BlobHandle, Lookup } from '../repository.ts'
import type { UpstreamBlob } from '../upstream/upstream.ts'
import type { BlobFetches } from './blob-fetches.ts'
import { guarded, wrong } from './blob-transfer.ts'
import type { RemoteParts } from './cached-manifests.ts'
import type { ForeignLayers } from './foreign-layers.ts'
import { passedBlob } from './passed-blob.ts'
import { isStorageFull, orFailing, refusalFor } from './upstream-errors.ts'

export interface BlobParts extends RemoteParts {
  readonly blobs: BlobStore
  readonly fetches: BlobFetches
  readonly foreign: ForeignLayers
}

interface Source {
  readonly expectedSize: number | undefined
  readonly open: (offset: number) => Promise<UpstreamBlob | undefined>
}

/** Blobs of the upstream. One is here for an image when it has been fetched for it, or for another one and the upstream has it there too. */
export class CachedBlobs {
  readonly #parts: BlobParts

  constructor(parts: BlobParts) {
    this.#parts = parts
  }

  /** Throws BLOB_UNKNOWN, UNAVAILABLE or TOOMANYREQUESTS when it is not here and the upstream cannot be asked. */
  async find(image: ImageName, digest: Digest, { use, from }: Lookup): Promise<BlobHandle | undefined> {
    const { metadata, settings, freshness, key, log } = this.#parts
    const of = { repository: key, image }
    const kept = await metadata.findBlob(of, digest, use)
    if (kept) return this.#kept(digest, kept.size)
    if (from === 'here' || settings.offline) return undefined
    const thing = blobThing(of, digest)
    if ((await freshness.of(thing))?.kind === 'absent') return undefined
    return orFailing(
      async () => {
        const found = (await this.#elsewhere(of, digest)) ?? (await this.#there(of, digest, use))
        if (!found) await freshness.miss(thing)
        return found
      },
      async (failure) => {
        log.warn({ ...of, digest, err: failure }, 'the upstream cannot be asked for a blob')
        throw refusalFor(failure, 'BLOB_UNKNOWN', settings)
      },
    )
  }

  /**
   * From another image of this repository, which has it of the same upstream. That says whether this image has it too; when it cannot be
   * asked, a manifest of the image does.
   */
  async #elsewhere(of: ImageRef, digest: Digest): Promise<BlobHandle | undefined> {
    const { metadata, upstream, nameThere, blobs, fetches } = this.#parts
    const holder = await metadata.findHolder(of.repository, digest)
    if (!holder || !(await blobs.stat(digest))) return undefined
    const isThere = await orFailing(
      async () => (await upstream.blobHead(nameThere(of.image), digest)) !== undefined,
      async (failure) => {
        if (await metadata.findNaming(of, digest)) return true
        throw failure
      },
    )
    if (!isThere) return undefined
    await fetches.forget(of, digest) // before the mount: whoever finds the blob does not look for what had come in of it
    if (!(await metadata.mountBlob(of, digest, holder))) return undefined
    const linked = await metadata.findBlob(of, digest)
    return linked && this.#kept(digest, linked.size)
  }

  /** Who only asks whether it is there is answered without fetching it. */
  async #there(of: ImageRef, digest: Digest, use: Lookup['use']): Promise<BlobHandle | undefined> {
    if (use !== 'rely') return this.#fetch(of, digest)
    const head = await this.#parts.upstream.blobHead(this.#parts.nameThere(of.image), digest)
    if (!head && !(await this.#parts.foreign.leadsTo(digest))) return undefined
    if (head?.size === undefined) return this.#fetch(of, digest)
    return {
      size: head.size,
      open: async (range) => this.#orRefused(async () => (await this.#fetched(of, digest)).open(range)),
      path: () => undefined,
      cache: { kind: 'miss' },
    }
  }

  async #fetched(of: ImageRef, digest: Digest): Promise<BlobHandle> {
    const found = await this.#fetch(of, digest)
    if (found) return found
    throw new RegistryError('BLOB_UNKNOWN', { detail: { image: of.image, digest } })
  }

  async #fetch(of: ImageRef, digest: Digest): Promise<BlobHandle | undefined> {
    const { settings, fetches, metadata, log } = this.#parts
    const naming = await metadata.findNaming(of, digest)
    const expectedSize = naming && sizeNamed(naming, digest)
    const open = (offset: number): Promise<UpstreamBlob | undefined> => this.#open(of, digest, offset)
    if (!settings.storeArtifactsLocally) return this.#passed(of, digest, { expectedSize, open })
    try {
      return await fetches.fetch(of, digest, { expectedSize, open })
    } catch (error) {
      if (!isStorageFull(error)) throw error
      log.error({ ...of, digest, err: error }, 'a blob is passed on and not cached: the disk is full')
      return this.#passed(of, digest, { expectedSize, open })
    }
  }

  /** Past the cache. Each reader asks the upstream, and is refused like those who ask first. */
  async #passed(of: ImageRef, digest: Digest, { expectedSize, open }: Source): Promise<BlobHandle | undefined> {
    const { upstream, nameThere } = this.#parts
    const size = expectedSize ?? (await upstream.blobHead(nameThere(of.image), digest))?.size ?? (await sizeOf(open))
    return size === undefined ? undefined : passedBlob(digest, size, (offset) => this.#orRefused(() => open(offset)))
  }

  /** For what is asked of the upstream after the blob has been found. */
  async #orRefused<result>(ask: () => Promise<result>): Promise<result> {
    return orFailing(ask, async (failure) => {
      throw refusalFor(failure, 'BLOB_UNKNOWN', this.#parts.settings)
    })
  }

  async #open(of: ImageRef, digest: Digest, offset: number): Promise<UpstreamBlob | undefined> {
    const { upstream, nameThere, foreign } = this.#parts
    const found = await upstream.blob(nameThere(of.image), digest, offset)
    return found ?? foreign.open(digest, offset)
  }

  #kept(digest: Digest, size: number): BlobHandle {
    return { ...blobOf(this.#parts.blobs, digest, size), cache: { kind: 'hit' } }
  }
}

/** As whoever fetches it is told; not everywhere may one ask by HEAD. Undefined when there is no such blob. */
async function sizeOf(open: Source['open']): Promise<number | undefined> {
  const there = await open(0)
  if (!there) return undefined
  guarded(there)?.bytes.destroy()
  if (there.size === undefined) throw wrong('the upstream does not say how large the blob is, and nothing is kept here')
  return there.size
}

function blobThing({ image }: ImageRef, digest: Digest): string {
  return `blob ${image}@${digest}`
}
