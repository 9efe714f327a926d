import { hash } from 'node:crypto'
import { algorithmOf, digestOf, encodedOf, type Digest } from '../../registry/domain/digest.ts'
import { isObject, parseJson } from '../../registry/domain/json.ts'
import { parseManifest, type Manifest } from '../../registry/domain/manifest.ts'
import { parseTag, type ImageName } from '../../registry/domain/names.ts'
import { describeReferrer } from '../../registry/domain/referrer.ts'
import { persistently } from './persistence.ts'
import type { Target } from './target.ts'

const indexType = 'application/vnd.oci.image.index.v1+json'

/** OCI distribution 1.1, "Referrers Tag Schema": where a registry does not list referrers, who pushes one keeps the list under a tag. */
export class ReferrersTag {
  readonly #target: Target
  /** One after the other: each reads the list and writes it. */
  #last: Promise<void> = Promise.resolve()

  constructor(target: Target) {
    this.#target = target
  }

  /** Does nothing for what has no subject. */
  async add(image: ImageName, manifest: Manifest): Promise<void> {
    const { subject, artifactType } = parseManifest(manifest.mediaType, manifest.bytes)
    if (subject === undefined) return
    const turn = this.#last.catch(() => undefined).then(() => this.#add(image, subject, { ...manifest, artifactType }))
    this.#last = turn
    await turn
  }

  async #add(
    image: ImageName,
    subject: Digest,
    manifest: Manifest & { readonly artifactType: string | undefined },
  ): Promise<void> {
    const tag = parseTag(`${algorithmOf(subject)}-${encodedOf(subject)}`)
    const listed = entriesOf(await persistently(() => this.#target.manifest(image, { tag })))
    if (listed.some((entry) => isObject(entry) && entry.digest === manifest.digest)) return
    const index = { schemaVersion: 2, mediaType: indexType, manifests: [...listed, describeReferrer(manifest)] }
    const bytes = Buffer.from(JSON.stringify(index))
    const digest = digestOf('sha256', hash('sha256', bytes, 'hex'))
    await persistently(() => this.#target.putManifest(image, { tag }, { digest, mediaType: indexType, bytes }))
  }
}

function entriesOf(index: Manifest | undefined): readonly unknown[] {
  const parsed = index && parseJson(index.bytes)
  const list = parsed && 'value' in parsed && isObject(parsed.value) ? parsed.value.manifests : undefined
  return Array.isArray(list) ? (list as readonly unknown[]) : []
}
