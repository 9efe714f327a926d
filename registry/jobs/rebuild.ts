import { hash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { digestOf, encodedOf, type Digest } from '../domain/digest.ts'
import type { ImageConfig } from '../domain/image-config.ts'
import { parseManifest } from '../domain/manifest.ts'
import { parseTag, type ImageRef, type Tag } from '../domain/names.ts'
import { dockerManifest, ociManifest, type StoredLayer } from '../domain/rebuilt-manifest.ts'
import { blobDirectories } from '../storage/blob-directories.ts'
import { syncDirectory } from '../storage/durable-files.ts'
import { filesystemBlobsBeside } from '../storage/filesystem-blobs.ts'
import type { Images } from '../storage/metadata-store.ts'
import { databaseFiles, removeDatabase, workOnDatabase } from '../storage/sqlite-snapshot.ts'
import { surveyBlobs, type BlobSurvey, type FoundConfig } from './blob-survey.ts'
import type { Places } from '../storage/places.ts'

/** What an image says of itself, for whoever has to find out which one it was. */
export type Traces = Pick<ImageConfig, 'platform' | 'created' | 'labels'> & { readonly config: Digest }

export interface RebuiltImage extends Traces {
  readonly tag: Tag
  readonly digest: Digest
  readonly mediaType: string
  readonly layers: readonly Digest[]
}

export interface IncompleteImage extends Traces {
  /** Digests of layers as they are without compression. */
  readonly missing: readonly Digest[]
}

export interface Rebuilt extends Pick<BlobSurvey, 'blobs' | 'bytes' | 'wrong'> {
  readonly images: readonly RebuiltImage[]
  readonly incomplete: readonly IncompleteImage[]
  /** They belong to none of the images, and stay where they are. */
  readonly unused: readonly Digest[]
}

/**
 * Makes a database in place of one that is lost: in it, as tags of one image, everything whose configuration is there and all of whose
 * layers are. Manifests are kept in the database alone, so they are made anew. A tag is the beginning of the digest of the configuration,
 * which docker shows as the id of an image. Interrupted, it has changed nothing. The caller has locked the data directory.
 */
export async function rebuild(places: Places, into: ImageRef): Promise<Rebuilt> {
  refuseDatabase(places.database)
  await using store = filesystemBlobsBeside(blobDirectories(places.blobs))
  const survey = await surveyBlobs(store)
  const sets = survey.configs.map((found) => layersOf(found, survey))

  const database = `${places.database}.rebuilding`
  await removeDatabase(database)
  const images = await workOnDatabase(database, (metadata) => putImages(metadata, into, sets.filter(isComplete)))
  await rename(database, places.database)
  await syncDirectory(dirname(places.database))

  const { blobs, bytes, wrong } = survey
  return { blobs, bytes, wrong, images, incomplete: sets.flatMap(incompleteOf), unused: unusedOf(survey, images) }
}

function refuseDatabase(database: string): void {
  const there = databaseFiles(database).find((file) => existsSync(file))
  if (there === undefined) return
  throw new Error(
    `${there} is there, and says more than a rebuild could find out: a backup is put back with caisson restore; ` +
      'to do without this one, move it away',
  )
}

/** A configuration, and for each of its layers what is there of it. */
interface LayerSet<layer = StoredLayer | undefined> {
  readonly found: FoundConfig
  readonly layers: readonly layer[]
}

function layersOf(found: FoundConfig, { contents }: BlobSurvey): LayerSet {
  // Where a layer is there in several compressions, the one that clients of every age can read.
  const best = (stored: readonly StoredLayer[] = []) =>
    stored.find(({ compression }) => compression === 'gzip') ?? stored[0]
  return { found, layers: found.config.diffIds.map((diffId) => best(contents.get(diffId))) }
}

function isComplete(set: LayerSet): set is LayerSet<StoredLayer> {
  return set.layers.every((layer) => layer !== undefined)
}

async function putImages(
  metadata: Images,
  into: ImageRef,
  sets: readonly LayerSet<StoredLayer>[],
): Promise<RebuiltImage[]> {
  const images = new Map<Tag, RebuiltImage>()
  for (const set of sets) {
    const { digest } = set.found
    const short = parseTag(encodedOf(digest).slice(0, 12))
    // A tag that moved to another image would leave the first one to garbage collection.
    const tag = images.has(short) ? parseTag(encodedOf(digest)) : short
    images.set(tag, await putImage(metadata, into, set, tag))
  }
  return [...images.values()]
}

async function putImage(
  metadata: Images,
  into: ImageRef,
  { found, layers }: LayerSet<StoredLayer>,
  tag: Tag,
): Promise<RebuiltImage> {
  const { mediaType, bytes } = manifestOf(found, layers)
  const digest = digestOf('sha256', hash('sha256', bytes, 'hex'))
  for (const blob of [found, ...layers]) await metadata.linkBlob(into, blob.digest, blob.size)
  await metadata.putManifest(into, { digest, mediaType, bytes }, parseManifest(mediaType, bytes), [tag])
  return { ...tracesOf(found), tag, digest, mediaType, layers: layers.map((layer) => layer.digest) }
}

/** Docker's schema 2 has a media type for layers in gzip alone. */
function manifestOf(config: FoundConfig, layers: readonly StoredLayer[]) {
  const asDocker = config.config.madeByDocker && layers.every(({ compression }) => compression === 'gzip')
  return asDocker ? dockerManifest({ config, layers }) : ociManifest({ config, layers })
}

function incompleteOf({ found, layers }: LayerSet): readonly IncompleteImage[] {
  const missing = found.config.diffIds.filter((_, index) => layers[index] === undefined)
  return missing.length === 0 ? [] : [{ ...tracesOf(found), missing }]
}

function tracesOf({ digest, config: { platform, created, labels } }: FoundConfig): Traces {
  return { config: digest, platform, created, labels }
}

function unusedOf({ configs, contents }: BlobSurvey, images: readonly RebuiltImage[]): readonly Digest[] {
  const used = new Set(images.flatMap(({ config, layers }) => [config, ...layers]))
  return [...configs, ...[...contents.values()].flat()]
    .map(({ digest }) => digest)
    .filter((digest) => !used.has(digest))
}
