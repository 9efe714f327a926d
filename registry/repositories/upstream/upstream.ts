import type { Readable } from 'node:stream'
import type { Digest } from '../../domain/digest.ts'
import type { Manifest } from '../../domain/manifest.ts'
import type { ImageName, Reference, Tag } from '../../domain/names.ts'
import type { ReferrerDescriptor } from '../../domain/referrer.ts'

/**
 * The registry behind a remote repository, with the names that it has for its images. Absence (404) is undefined; everything else that
 * does not work is an {@link UpstreamFailure}. No answer takes longer than the configured silence allows, however slowly it drips.
 */
export interface Upstream {
  /** How it is named in messages: its URL. */
  readonly name: string
  /**
   * By HEAD, and whether it is still the manifest `known`. `digest` is undefined when the upstream does not say it: then only
   * {@link Upstream.manifest} can tell.
   */
  manifestHead(image: ImageName, reference: Reference, known?: Digest): Promise<ManifestHead | undefined>
  /** The digest is that of the bytes, and the one asked for or announced. Never larger than `maxManifestBytes`. */
  manifest(image: ImageName, reference: Reference): Promise<Manifest | undefined>
  /** By HEAD. */
  blobHead(image: ImageName, digest: Digest): Promise<{ readonly size: number | undefined } | undefined>
  /**
   * The blob's bytes from `offset` on, or from the start where the upstream knows no ranges. Nothing is verified of them. The stream
   * errs with UpstreamFailure when it breaks off, stands still or drips; the caller consumes or destroys it.
   */
  blob(image: ImageName, digest: Digest, offset: number): Promise<UpstreamBlob | undefined>
  /** The same for a layer that lies at a URL of its own. Credentials never go there. */
  foreign(url: URL, offset: number): Promise<UpstreamBlob | undefined>
  /** All of them, in byte order. */
  tags(image: ImageName): Promise<readonly Tag[] | undefined>
  /** All that it lists, in byte order; undefined when it lists none to us, as Docker Hub. */
  images(): Promise<readonly ImageName[] | undefined>
  /** In the order of their digests, by the referrers API or the referrers tag schema (OCI distribution 1.1, "Listing Referrers"). */
  referrers(image: ImageName, subject: Digest): Promise<readonly ReferrerDescriptor[]>
}

/** Told of what goes over the wire. */
export interface UpstreamObserver {
  /** `outcome`: the status of the answer, or the kind of failure. */
  answered(outcome: string): void
  received(bytes: number): void
  /** As `RateLimit-Limit` and `RateLimit-Remaining` say it. */
  rateLimit(limit: number, remaining: number): void
}

export interface ManifestHead {
  readonly digest: Digest | undefined
}

export interface UpstreamBlob {
  /** Where the bytes begin: the offset asked for, or 0. */
  readonly offset: number
  /** Of the whole blob; undefined when the upstream does not say. */
  readonly size: number | undefined
  readonly bytes: Readable
}

/**
 * `unreachable`: no connection, no answer in time, or a status of 500 and more. `limited`: too many requests. `refused`: it does not let
 * us, whatever we show. `wrong`: what it answers with cannot be right, and would be no better a second time.
 */
export type FailureKind = 'unreachable' | 'limited' | 'refused' | 'wrong'

export class UpstreamFailure extends Error {
  readonly kind: FailureKind
  /** What the upstream asked for; undefined when it asked for nothing. */
  readonly retryAfterSeconds: number | undefined
  /** What happened, and nothing of what was asked for: that is told to others too. */
  readonly reason: string

  /** `message` says which upstream and what happened, without secrets. */
  constructor(
    kind: FailureKind,
    message: string,
    options: {
      readonly retryAfterSeconds?: number | undefined
      readonly reason?: string | undefined
      readonly cause?: unknown
    } = {},
  ) {
    super(message, { cause: options.cause })
    this.kind = kind
    this.retryAfterSeconds = options.retryAfterSeconds
    this.reason = options.reason ?? 'it could not be asked'
  }
}
