import { FaultyUpstream } from '../helpers/faulty-upstream.ts'
import { descriptor, digestOfBytes, ociManifest } from '../helpers/tiny-image.ts'
import { dripping, type Fault } from '../helpers/upstream/faults.ts'
import { ociIndex } from '../helpers/upstream/upstream-content.ts'
import type { KnownManifest } from './journal.ts'

/** Base path of the remote repository. */
export const hubV2 = '/artifactory/api/docker/hub/v2'

/** Section of a remote repository in a configuration. */
export type Remote = Readonly<Record<string, unknown>>

/** Slow enough for a blob to be written in several pieces. */
const trickle = dripping(8 * 1024, 4)
const ownLayer = 150_000

/** What a remote repository caches. It serves from the process of the test, and so outlives what is killed. */
export class Origin implements AsyncDisposable {
  readonly upstream: FaultyUpstream
  #made = 0

  private constructor(upstream: FaultyUpstream) {
    this.upstream = upstream
    this.heal()
  }

  static async start(): Promise<Origin> {
    return new Origin(await FaultyUpstream.start())
  }

  /** A tag is asked for each time, and nothing that failed is remembered. */
  get remote(): Remote {
    return {
      type: 'remote',
      url: this.upstream.url,
      assumedOfflinePeriodSecs: 0,
      retrievalCachePeriodSecs: 0,
      missedRetrievalCachePeriodSecs: 0,
    }
  }

  /** How often a blob was asked for from where it had broken off. */
  get resumed(): number {
    return this.upstream.requests.filter(({ headers: { range = '' } }) => /^bytes=[1-9]/.test(range)).length
  }

  /** The next blob does not come as it should. */
  breakNextBlob(fault: Fault): void {
    this.upstream.break('blob', fault, 1)
  }

  heal(): void {
    this.upstream.heal()
    this.upstream.break('blob', trickle)
  }

  /** A layer that nobody has asked for yet. */
  layer(): Buffer {
    return Buffer.alloc(ownLayer, `layer ${(this.#made += 1)} of the upstream `)
  }

  /** An image that nobody has asked for yet. */
  push(name: string, tag: string | undefined, layer: Buffer): KnownManifest {
    const config = Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', made: (this.#made += 1) }))
    const body = {
      schemaVersion: 2,
      mediaType: ociManifest,
      config: descriptor('application/vnd.oci.image.config.v1+json', config),
      layers: [descriptor('application/vnd.oci.image.layer.v1.tar', layer)],
    }
    const blobs = [config, layer].map((bytes) => this.upstream.content.blob(name, bytes))
    const bytes = Buffer.from(JSON.stringify(body))
    this.upstream.content.manifest(name, { mediaType: ociManifest, bytes }, tag)
    return { mediaType: ociManifest, bytes, blobs, entries: [], subject: undefined }
  }

  pushIndex(name: string, tag: string, manifests: readonly KnownManifest[]): KnownManifest {
    const entries = manifests.map(({ bytes }) => digestOfBytes(bytes))
    const descriptors = manifests.map(({ mediaType, bytes }) => descriptor(mediaType, bytes))
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: ociIndex, manifests: descriptors }))
    this.upstream.content.manifest(name, { mediaType: ociIndex, bytes }, tag)
    return { mediaType: ociIndex, bytes, blobs: [], entries, subject: undefined }
  }

  /** What a reference to a manifest stands for now. */
  digestOf(name: string, reference: string): string {
    const found = this.upstream.content.find(name, reference)
    if (!found) throw new Error(`the upstream has no ${name} ${reference}`)
    return found.digest
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.upstream[Symbol.asyncDispose]()
  }
}
