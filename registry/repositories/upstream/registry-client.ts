import type { RemoteConfig } from '../../config.ts'
import type { Digest } from '../../domain/digest.ts'
import type { Manifest } from '../../domain/manifest.ts'
import type { ImageName, Reference, Tag } from '../../domain/names.ts'
import type { ReferrerDescriptor } from '../../domain/referrer.ts'
import { getBlob, headBlob } from './blobs.ts'
import type { Connection } from './connection.ts'
import { IsolatedFailure } from './failures.ts'
import { listImages, listTags } from './lists.ts'
import { getManifest, headManifest } from './manifests.ts'
import { openRequests, type OpenRequests, type RequestsOptions } from './open-requests.ts'
import type { Probed } from './outages.ts'
import { listReferrers } from './referrers.ts'
import { named, type Question, type Requests } from './requests.ts'
import { pullScope } from './scope.ts'
import { Turns } from './turns.ts'
import {
  UpstreamFailure,
  type ManifestHead,
  type Upstream,
  type UpstreamBlob,
  type UpstreamObserver,
} from './upstream.ts'
import type { Wire } from './wire.ts'

export interface UpstreamOptions extends RequestsOptions {
  readonly maxManifestBytes: number
  /** Default: 192, of the 256 connections that there may be. */
  readonly blobsAtOnce?: number
}
/** The other connections are for questions: whoever reads blobs slowly, or many of them, keeps nobody from asking. */
const usualBlobsAtOnce = 192
/** A list is read whole, and may be large. */
const listsAtOnce = 8

/** Asks the upstream nothing yet. Throws, naming the setting, when something that the configuration names cannot be read. */
export async function openUpstream(
  config: RemoteConfig,
  observer: UpstreamObserver,
  { maxManifestBytes, blobsAtOnce = usualBlobsAtOnce, ...options }: UpstreamOptions,
): Promise<Upstream & Probed & AsyncDisposable> {
  return new RegistryClient(await openRequests(config, observer, options), {
    maxManifestBytes,
    blobs: new Turns(blobsAtOnce),
    lists: new Turns(listsAtOnce),
  })
}

interface Bounds {
  readonly maxManifestBytes: number
  readonly blobs: Turns
  readonly lists: Turns
}

class RegistryClient implements Upstream, Probed, AsyncDisposable {
  readonly name: string
  /** Ends with /v2/. */
  readonly #base: URL
  readonly #requests: Requests
  readonly #wire: Wire
  readonly #connection: Connection
  readonly #bounds: Bounds

  constructor({ name, base, requests, wire, connection }: OpenRequests, bounds: Bounds) {
    this.name = name
    this.#base = base
    this.#requests = requests
    this.#wire = wire
    this.#connection = connection
    this.#bounds = bounds
  }

  async manifestHead(image: ImageName, reference: Reference, known?: Digest): Promise<ManifestHead | undefined> {
    return await headManifest(this.#requests, {
      url: this.#manifestUrl(image, reference),
      scope: pullScope(image),
      known,
    })
  }

  async manifest(image: ImageName, reference: Reference): Promise<Manifest | undefined> {
    return await getManifest(this.#requests, {
      url: this.#manifestUrl(image, reference),
      scope: pullScope(image),
      reference,
      maxBytes: this.#bounds.maxManifestBytes,
    })
  }

  async blobHead(image: ImageName, digest: Digest): Promise<{ readonly size: number | undefined } | undefined> {
    return await headBlob(this.#requests, this.#url(`${image}/blobs/${digest}`), pullScope(image))
  }

  async blob(image: ImageName, digest: Digest, offset: number): Promise<UpstreamBlob | undefined> {
    const ask = (question: Question) => this.#requests.ask(question, pullScope(image))
    return await this.#inTurn(() => getBlob(this.#requests, ask, this.#url(`${image}/blobs/${digest}`), offset))
  }

  async foreign(url: URL, offset: number): Promise<UpstreamBlob | undefined> {
    const ask = (question: Question) => this.#requests.askAnonymously(question)
    return await this.#inTurn(() => getBlob(this.#requests, ask, url, offset))
  }

  async tags(image: ImageName): Promise<readonly Tag[] | undefined> {
    return await this.#bounds.lists.during(() => listTags(this.#requests, this.#base, image))
  }

  async images(): Promise<readonly ImageName[] | undefined> {
    try {
      return await this.#bounds.lists.during(() => listImages(this.#requests, this.#base))
    } catch (error) {
      // It is the usual case that one may not see all there is.
      if (error instanceof UpstreamFailure && error.kind === 'refused') return undefined
      throw error
    }
  }

  async referrers(image: ImageName, subject: Digest): Promise<readonly ReferrerDescriptor[]> {
    return await this.#bounds.lists.during(() => listReferrers(this.#requests, this.#base, image, subject))
  }

  async probe(): Promise<void> {
    const question = { method: 'GET', url: this.#base, headers: {} } as const
    const answer = await this.#wire.send(question)
    await answer.discard()
    if (answer.status >= 500)
      throw new IsolatedFailure('unreachable', `${named(question)} is answered with ${answer.status}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection[Symbol.asyncDispose]()
  }

  /** A blob's turn is over when its bytes are. To wait for it is not to wait for the upstream, which has been asked nothing yet. */
  async #inTurn(open: () => Promise<UpstreamBlob | undefined>): Promise<UpstreamBlob | undefined> {
    const end = await this.#bounds.blobs.take()
    try {
      const blob = await open()
      if (blob) blob.bytes.once('close', end)
      else end()
      return blob
    } catch (error) {
      end()
      throw error
    }
  }

  #manifestUrl(image: ImageName, reference: Reference): URL {
    return this.#url(`${image}/manifests/${'tag' in reference ? reference.tag : reference.digest}`)
  }

  #url(path: string): URL {
    return new URL(path, this.#base)
  }
}
