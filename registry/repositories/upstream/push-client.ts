import type { Readable } from 'node:stream'
import type { RemoteConfig } from '../../config.ts'
import type { Digest } from '../../domain/digest.ts'
import type { Manifest } from '../../domain/manifest.ts'
import type { ImageName, Reference } from '../../domain/names.ts'
import { headBlob } from './blobs.ts'
import { withoutQuery, wrong } from './failures.ts'
import { getManifest, headManifest } from './manifests.ts'
import { openRequests, type OpenRequests, type RequestsOptions } from './open-requests.ts'
import { named, type Question } from './requests.ts'
import { pullScope, pushScope } from './scope.ts'
import type { ManifestHead, UpstreamObserver } from './upstream.ts'
import type { WireAnswer } from './wire-answer.ts'

/** An upload that was begun; undefined: there is none, because the blob is there already. */
export type Begun = { readonly upload: URL } | undefined

const maxManifestBytes = 8 * 1024 * 1024

/** Asks the registry nothing yet. */
export async function openPushClient(
  config: RemoteConfig,
  observer: UpstreamObserver,
  options: RequestsOptions = {},
): Promise<PushClient> {
  return new PushClient(await openRequests(config, observer, options))
}

/** Pushes to a registry (OCI distribution 1.1, "Push"). Each method rejects with an UpstreamFailure. */
export class PushClient implements AsyncDisposable {
  readonly name: string
  readonly #open: OpenRequests

  constructor(open: OpenRequests) {
    this.name = open.name
    this.#open = open
  }

  /** Whether it speaks the V2 API and lets us in, as one who pushes this image. */
  async login(image: ImageName): Promise<void> {
    const question = { method: 'GET', url: this.#open.base } as const
    const answer = await this.#open.requests.ask(question, pushScope(image))
    await answer.discard()
    if (answer.status === 404)
      throw wrong(`${named(question)} is answered with 404: no registry of the V2 API is there`)
  }

  async manifestHead(image: ImageName, reference: Reference): Promise<ManifestHead | undefined> {
    const url = this.#url(`${image}/manifests/${textOf(reference)}`)
    return await headManifest(this.#open.requests, { url, scope: pushScope(image), known: undefined })
  }

  async manifest(image: ImageName, reference: Reference): Promise<Manifest | undefined> {
    const url = this.#url(`${image}/manifests/${textOf(reference)}`)
    return await getManifest(this.#open.requests, {
      url,
      scope: pushScope(image),
      reference,
      maxBytes: maxManifestBytes,
    })
  }

  async hasBlob(image: ImageName, digest: Digest): Promise<boolean> {
    const url = this.#url(`${image}/blobs/${digest}`)
    return (await headBlob(this.#open.requests, url, pushScope(image))) !== undefined
  }

  /** `from`: another image of the registry that has the blob, which then need not be sent. */
  async begin(image: ImageName, digest: Digest, from?: ImageName): Promise<Begun> {
    const url = this.#url(`${image}/blobs/uploads/`)
    if (from !== undefined) url.search = new URLSearchParams({ mount: digest, from }).toString()
    const scope = from === undefined ? pushScope(image) : `${pushScope(image)} ${pullScope(from)}`
    const question = { method: 'POST', url, headers: { 'content-length': '0' } } as const
    const answer = await this.#ask(question, scope)
    if (answer.status === 201) return undefined
    if (answer.status === 202) return { upload: this.#uploadOf(answer) }
    throw wrong(`${named(question)} is answered with ${answer.status}`)
  }

  /** `bytes` is read to its end or destroyed. `size`: of the blob, where it is known. */
  async upload(
    image: ImageName,
    upload: URL,
    { digest, size, bytes }: { readonly digest: Digest; readonly size: number | undefined; readonly bytes: Readable },
  ): Promise<void> {
    const length = size === undefined ? {} : { 'content-length': String(size) }
    const headers = { 'content-type': 'application/octet-stream', ...length }
    const sent = await this.#ask({ method: 'PATCH', url: upload, headers, body: bytes }, pushScope(image))
    const url = this.#uploadOf(sent)
    // What the registry has put there stays as it is: `searchParams` would encode it anew.
    url.search += `${url.search === '' ? '?' : '&'}digest=${encodeURIComponent(digest)}`
    await this.#ask({ method: 'PUT', url, headers: { 'content-length': '0' } }, pushScope(image))
  }

  async cancel(image: ImageName, upload: URL): Promise<void> {
    const answer = await this.#open.requests.ask({ method: 'DELETE', url: upload }, pushScope(image))
    await answer.discard()
  }

  /** Whether the registry lists the manifest among the referrers of its subject, so that we need not (OCI distribution 1.1). */
  async putManifest(
    image: ImageName,
    reference: Reference,
    { mediaType, bytes }: Manifest,
  ): Promise<{ readonly listsReferrer: boolean }> {
    const url = this.#url(`${image}/manifests/${textOf(reference)}`)
    const question: Question = { method: 'PUT', url, headers: { 'content-type': mediaType }, body: bytes }
    const answer = await this.#ask(question, pushScope(image))
    return { listsReferrer: answer.header('oci-subject') !== undefined }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#open.connection[Symbol.asyncDispose]()
  }

  /** Done, or refused: whoever pushes means something that is there. */
  async #ask(question: Question, scope: string): Promise<WireAnswer> {
    const answer = await this.#open.requests.ask(question, scope)
    await answer.discard()
    if (answer.status === 404) throw wrong(`${named(question)} is answered with 404`)
    return answer
  }

  /** A proxy may write a scheme that is not ours; the host must be, since credentials go there. */
  #uploadOf(answer: WireAnswer): URL {
    const location = answer.header('location')
    const { base } = this.#open
    const url = location !== undefined && URL.canParse(location, answer.url) ? new URL(location, answer.url) : undefined
    if (url?.hostname !== base.hostname)
      throw wrong(`${withoutQuery(answer.url)} sends the upload to another host: ${url ? url.host : 'no URL'}`)
    return new URL(`${url.pathname}${url.search}`, base)
  }

  #url(path: string): URL {
    return new URL(path, this.#open.base)
  }
}

function textOf(reference: Reference): string {
  return 'tag' in reference ? reference.tag : reference.digest
}
