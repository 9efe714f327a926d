import { pipeline } from 'node:stream/promises'
import { setTimeout as pause } from 'node:timers/promises'
import type { Digest } from '../../registry/domain/digest.ts'
import type { ImageName } from '../../registry/domain/names.ts'
import { Turns } from '../../registry/repositories/upstream/turns.ts'
import { UpstreamFailure } from '../../registry/repositories/upstream/upstream.ts'
import { persistently } from './persistence.ts'
import type { Source, SourceBlob } from './source.ts'
import type { Target } from './target.ts'
import { CorruptBlob, Verified } from './verified.ts'

export type BlobOutcome = { readonly kind: 'sent'; readonly bytes: number } | { readonly kind: 'there' | 'mounted' }

/** Copies blobs, each once for each image of the target, so many at a time. */
export class BlobCopy {
  readonly #source: Source
  readonly #target: Target
  readonly #turns: Turns
  readonly #copies = new Map<string, Promise<BlobOutcome>>()
  /** An image of the target that has the blob: others are given it from there. */
  readonly #holders = new Map<Digest, ImageName>()

  constructor(source: Source, target: Target, atOnce: number) {
    this.#source = source
    this.#target = target
    this.#turns = new Turns(atOnce)
  }

  async copy(from: ImageName, to: ImageName, digest: Digest): Promise<BlobOutcome> {
    const key = `${to}@${digest}`
    const running = this.#copies.get(key)
    if (running) return (await running, { kind: 'there' })
    const copy = this.#turns.during(() => persistently(() => this.#copyOnce(from, to, digest)))
    this.#copies.set(key, copy)
    const outcome = await copy
    this.#holders.set(digest, to)
    return outcome
  }

  async #copyOnce(from: ImageName, to: ImageName, digest: Digest): Promise<BlobOutcome> {
    if (await this.#target.hasBlob(to, digest)) return { kind: 'there' }
    const begun = await this.#target.begin(to, digest, this.#holders.get(digest))
    if (!begun) return { kind: 'mounted' }
    try {
      const blob = await this.#source.blob(from, digest)
      if (!blob) throw new Error(`the source has no blob ${digest}`)
      return { kind: 'sent', bytes: await this.#send(to, begun.upload, digest, blob) }
    } catch (error) {
      await this.#cancel(to, begun.upload)
      throw error
    }
  }

  /** Nobody goes on with it: what comes again begins anew. A registry may not have noticed yet that no more bytes come. */
  async #cancel(image: ImageName, upload: URL): Promise<void> {
    for (const waitMs of [0, 200, 1000]) {
      await pause(waitMs)
      try {
        return await this.#target.cancel(image, upload)
      } catch (error) {
        // What matters is why the copy failed; registries forget an upload in the end.
        if (!(error instanceof UpstreamFailure)) throw error
      }
    }
  }

  async #send(image: ImageName, upload: URL, digest: Digest, { size, bytes }: SourceBlob): Promise<number> {
    const verified = new Verified(digest)
    const reading = pipeline(markingFailures(bytes), verified).catch((error: unknown) => error)
    try {
      await this.#target.upload(image, upload, { digest, size, bytes: verified })
      return verified.bytes
    } catch (error) {
      verified.destroy()
      const unread = await reading
      if (unread instanceof CorruptBlob) throw unread
      throw unread instanceof SourceFailure ? unread.cause : error
    }
  }
}

/** To tell what the source has done from what the target did to the stream. */
class SourceFailure extends Error {}

async function* markingFailures(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* bytes
  } catch (cause) {
    throw new SourceFailure('the source could not be read', { cause })
  }
}
