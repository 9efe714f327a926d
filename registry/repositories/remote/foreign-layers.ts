import type { Keyv } from 'keyv'
import type { Digest } from '../../domain/digest.ts'
import { matchesGlob } from '../../domain/glob.ts'
import { foreignUrls, type Manifest } from '../../domain/manifest.ts'
import type { Upstream, UpstreamBlob } from '../upstream/upstream.ts'

/**
 * Layers that a manifest says lie elsewhere. They are fetched from URLs that are allowed by a pattern, and only after the manifest was
 * served here: whoever wants the layer has asked for that first.
 */
export class ForeignLayers {
  readonly #upstream: Upstream
  readonly #allowed: readonly string[]
  readonly #urls: Keyv<readonly string[]>

  /** `allowed`: URLs with `*` for any characters. */
  constructor(upstream: Upstream, allowed: readonly string[], urls: Keyv<readonly string[]>) {
    this.#upstream = upstream
    this.#allowed = allowed
    this.#urls = urls
  }

  async note(manifest: Manifest): Promise<void> {
    if (this.#allowed.length === 0) return
    for (const [digest, urls] of foreignUrls(manifest)) {
      const usable = urls.filter((url) => this.#allowed.some((pattern) => matchesGlob(pattern, url)))
      if (usable.length > 0) await this.#urls.set(digest, usable)
    }
  }

  /** Whether there are places where it may lie. */
  async leadsTo(digest: Digest): Promise<boolean> {
    return (await this.#urls.get(digest)) !== undefined
  }

  /** Undefined when it lies nowhere that is allowed, or is not there. */
  async open(digest: Digest, offset: number): Promise<UpstreamBlob | undefined> {
    for (const url of (await this.#urls.get(digest)) ?? []) {
      const found = await this.#upstream.foreign(new URL(url), offset)
      if (found) return found
    }
    return undefined
  }
}
