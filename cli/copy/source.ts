import type { Readable } from 'node:stream'
import type { Digest } from '../../registry/domain/digest.ts'
import type { Manifest } from '../../registry/domain/manifest.ts'
import type { ImageName, Reference, Tag } from '../../registry/domain/names.ts'
import type { V1Images } from './v1-images.ts'

export interface SourceBlob {
  /** Undefined when nobody says. */
  readonly size: number | undefined
  /** Not verified. To be consumed or destroyed. */
  readonly bytes: Readable
}

/**
 * Where images come from, as the V2 API has them. Absence is undefined; what cannot be read rejects with a message that says what it is.
 * Names and digests are parsed: a source never hands out what could lead somewhere else.
 */
export interface Source extends AsyncDisposable {
  readonly name: string
  /** What an image is called here that has no name of its own: as that of the target. */
  readonly unnamed?: ImageName | undefined
  /** What was come upon that cannot be copied, such as a name that no registry of today takes; complete when all is listed. */
  readonly problems?: readonly { readonly of: string; readonly problem: string }[]
  /** Where they are images of the V1 API: as they are there. It is closed with the source. */
  readonly v1?: V1Images | undefined
  /** Undefined when it lists none to us. */
  images(): Promise<readonly ImageName[] | undefined>
  tags(image: ImageName): Promise<readonly Tag[] | undefined>
  /** For nothing, or for as little as it costs; undefined also when only {@link Source.manifest} can tell. */
  digest(image: ImageName, reference: Reference): Promise<Digest | undefined>
  manifest(image: ImageName, reference: Reference): Promise<Manifest | undefined>
  blob(image: ImageName, digest: Digest): Promise<SourceBlob | undefined>
  /** Digests of the manifests that have this subject. */
  referrers(image: ImageName, subject: Digest): Promise<readonly Digest[]>
}
