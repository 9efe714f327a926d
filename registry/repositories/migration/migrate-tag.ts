import { hash, type KeyObject } from 'node:crypto'
import { Readable } from 'node:stream'
import { digestOf, type Digest } from '../../domain/digest.ts'
import { RegistryError } from '../../domain/errors.ts'
import type { Manifest } from '../../domain/manifest.ts'
import type { ImageName } from '../../domain/names.ts'
import type { V1ImageId } from '../../domain/v1-image.ts'
import { schema1FromV1 } from '../../domain/schema1/from-v1.ts'
import { signedSchema1 } from '../../domain/schema1/media-types.ts'
import { signSchema1 } from '../../domain/schema1/signatures.ts'
import { schema2FromV1, type V1Layer } from '../../domain/v1-to-schema2.ts'
import type { Images, MayTake } from '../../storage/metadata-store.ts'
import type { KeptV1Image, V1Images } from '../../storage/v1-images.ts'
import { contentOf, packInGzip, type LayerStorage } from '../layer-contents.ts'
import type { PushTarget, Repository } from '../repository.ts'
import { bringBlob } from '../whole-blob.ts'
import type { V1Tag } from './v1-tags.ts'

/** `schema1` for clients of old, which know of no other; today's take `schema2`. */
export type Format = 'schema2' | 'schema1'

export interface MigrationStorage extends LayerStorage {
  readonly metadata: LayerStorage['metadata'] & Pick<V1Images, 'v1Ancestry'> & Pick<Images, 'findManifest'>
  /** What manifests of schema 1 are signed with. */
  readonly schema1Key: () => Promise<KeyObject>
  readonly now: () => Date
}

/** Where the image goes, under the tag that it has. */
export interface Destination {
  readonly image: ImageName
  readonly repository: Pick<Repository, 'manifest' | 'blob'>
  readonly target: PushTarget
  readonly format: Format
  /** Name of who asks for it. */
  readonly principal: string | undefined
  /** Whether the tag may be taken from what it is on. */
  readonly mayTake: MayTake
}

export interface Migrated {
  readonly digest: Digest
  /** The tag was on it before. */
  readonly wasThere: boolean
}

/**
 * Gives the V2 repository what the tag is on; the source keeps it. Layers stay where they are, and belong to one image more. Done again, it
 * changes nothing. Throws what a push throws, and what {@link contentOf} and the conversions throw.
 */
export async function migrateTag(storage: MigrationStorage, source: V1Tag, to: Destination): Promise<Migrated> {
  const chain = await wholeChain(storage, source)
  const layers: V1Layer[] = []
  for (const image of chain) layers.push(await bringLayer(storage, source, image, to))
  const manifest = await convert(storage, source, layers, to)

  const before = await to.repository.manifest(to.image, { tag: source.tag }, { use: 'rely' })
  if (before?.digest === manifest.digest) return { digest: manifest.digest, wasThere: true }
  await to.target.putManifest(to.image, manifest, [source.tag], { mayTake: to.mayTake })
  return { digest: manifest.digest, wasThere: false }
}

/** The base image first. */
async function wholeChain({ metadata }: MigrationStorage, { of, id }: V1Tag): Promise<readonly KeptV1Image[]> {
  const chain = await metadata.v1Ancestry(of, id)
  const base = chain.at(-1)
  if (base && base.parent === undefined) return chain.toReversed()
  const missing = base?.parent ?? id
  throw imageMissing(missing)
}

function imageMissing(id: V1ImageId): RegistryError {
  return new RegistryError('MANIFEST_BLOB_UNKNOWN', { message: `the V1 image ${id} is not here`, detail: { id } })
}

/** The image has the layer then, in gzip. */
async function bringLayer(
  storage: MigrationStorage,
  { of }: V1Tag,
  { id, digest, layer }: KeptV1Image,
  { image, repository, target, principal }: Destination,
): Promise<V1Layer> {
  const json = (await storage.metadata.findManifest(of, { digest }))?.bytes
  if (!json) throw imageMissing(id)
  const content = await contentOf(storage, layer)
  const { diffId, packing, inGzip } = content
  const has = async (digest: Digest) => repository.blob(image, digest, { use: 'rely' })
  if (packing === 'gzip') {
    const isThere = (await has(layer.digest)) ?? (await target.mount(image, layer.digest, of))
    if (!isThere) throw new RegistryError('BLOB_UNKNOWN', { message: `the layer ${layer.digest} is not here` })
    return { json, diffId, blob: { digest: layer.digest, size: layer.size } }
  }
  const packed = inGzip === undefined ? undefined : await has(inGzip)
  if (inGzip !== undefined && packed) return { json, diffId, blob: { digest: inGzip, size: packed.size } }
  return { json, diffId, blob: await packInGzip(storage, content, { target, image, principal }) }
}

async function convert(
  { schema1Key, now }: MigrationStorage,
  { tag }: V1Tag,
  layers: readonly V1Layer[],
  to: Destination,
): Promise<Manifest> {
  switch (to.format) {
    case 'schema2': {
      const { config, manifest } = schema2FromV1(layers)
      await bringBytes(config, to)
      return { ...manifest, digest: sha256(manifest.bytes) }
    }
    case 'schema1': {
      const steps = layers.map(({ json, blob }) => ({ json, layer: blob.digest }))
      const payload = schema1FromV1({ name: to.image, tag }, steps)
      const bytes = signSchema1(payload, await schema1Key(), now())
      return { mediaType: signedSchema1, bytes, digest: sha256(payload) }
    }
  }
}

async function bringBytes(bytes: Uint8Array, { image, repository, target, principal }: Destination): Promise<void> {
  const digest = sha256(bytes)
  if (await repository.blob(image, digest, { use: 'rely' })) return
  await bringBlob(target, {
    image,
    principal,
    algorithm: 'sha256',
    append: (upload) => target.append(image, upload, 0, Readable.from([bytes])),
    digest: async () => digest,
  })
}

function sha256(bytes: Uint8Array): Digest {
  return digestOf('sha256', hash('sha256', bytes, 'hex'))
}
