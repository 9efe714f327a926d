import type { Digest } from '../../domain/digest.ts'
import { isIndex, type Manifest } from '../../domain/manifest.ts'
import { isImageName, isTag, type ImageName, type ImageRef } from '../../domain/names.ts'
import type { Property } from '../../domain/property.ts'
import type { StoredManifest } from '../../storage/stored-items.ts'
import { isReachable } from '../reachable.ts'
import { itemsAfter } from '../virtual/merged-pages.ts'
import { digestOfName, digestsAfter, nameOfDigest } from './digest-name.ts'
import { blobFile, bytesFile } from './files.ts'
import { ImageFolders } from './image-folders.ts'
import { manifestProperties, type PlacedManifest } from './manifest-properties.ts'
import { merged } from './property-list.ts'
import type { Child, Layout, Path, StoredFile } from './stored-item.ts'
import type { ViewedRepository, ViewStorage } from './viewed-repository.ts'

const atOnce = 1000

interface FoundManifest extends PlacedManifest {
  readonly manifest: StoredManifest
}

/**
 * `<image>/<tag>/` has the manifest, and beside it every blob that it names. A manifest without a tag, or that an index names, has such a
 * folder by its digest. What an image and a tag of another have as the same path is one folder.
 */
export class V2Layout implements Layout {
  readonly #storage: ViewStorage
  readonly #viewed: ViewedRepository
  readonly #images: ImageFolders

  constructor(storage: ViewStorage, viewed: ViewedRepository) {
    this.#storage = storage
    this.#viewed = viewed
    this.#images = new ImageFolders(storage, viewed, 'manifests')
  }

  async file(path: Path): Promise<StoredFile | undefined> {
    const name = path.at(-1) ?? ''
    const found = await this.#manifestIn(path.slice(0, -1))
    if (!found) return undefined
    if (name === nameOfManifest(found.manifest)) return this.#manifestFile(found)
    const digest = digestOfName(name)
    const blob = digest && (await this.#storage.metadata.findBlobOf(found.of, found.manifest.digest, digest))
    return blob && blobFile(this.#storage, blob, found.manifest.pushedAt)
  }

  children(path: Path, after: string | undefined): readonly AsyncGenerator<Child, undefined>[] {
    const image = path.join('/')
    const below = image === '' ? '' : `${image}/`
    const folders = isImageName(image) ? [this.#tags(image, after), this.#standingAlone(image, after)] : []
    return [this.#files(path, after), this.#images.below(below, after), ...folders]
  }

  async folderProperties(path: Path): Promise<readonly Property[]> {
    const image = path.join('/')
    const isReadable = isImageName(image) && this.#viewed.readable(image).extent !== 'none'
    const ofImage = isReadable ? await this.#saidOf({ of: this.#of(image), tag: undefined }) : []
    const manifest = await this.#manifestIn(path)
    const ofTag = manifest ? await this.#saidOf(manifest) : []
    return merged(ofImage, ofTag)
  }

  async *#files(path: Path, after = ''): AsyncGenerator<Child, undefined> {
    const found = await this.#manifestIn(path)
    if (!found) return
    const name = nameOfManifest(found.manifest)
    if (name > after) yield { name, kind: 'file' }
    const { of, manifest } = found
    yield* namesAfter(after, 'file', async (from) => {
      const blobs = await this.#storage.metadata.listBlobsOf(of, manifest.digest, from, atOnce)
      return { items: blobs.map(({ digest }) => digest), next: blobs[atOnce - 1]?.digest }
    })
  }

  async *#tags(image: ImageName, after: string | undefined): AsyncGenerator<Child, undefined> {
    const readable = this.#viewed.readable(image)
    if (readable.extent === 'none') return
    const tags = itemsAfter((from) => this.#storage.metadata.listTags(this.#of(image), from, atOnce), after)
    for await (const name of tags) if (readable.has(name)) yield { name, kind: 'folder' }
  }

  async *#standingAlone(image: ImageName, after = ''): AsyncGenerator<Child, undefined> {
    if (this.#viewed.readable(image).extent === 'none') return
    yield* namesAfter(after, 'folder', async (from) => {
      const { items, next } = await this.#storage.metadata.listStandingAlone(this.#of(image), from, atOnce)
      const readable: Digest[] = []
      for (const digest of items) if (await this.#isReachable(image, digest)) readable.push(digest)
      return { items: readable, next }
    })
  }

  /** The manifest that lies in the folder. */
  async #manifestIn(path: Path): Promise<FoundManifest | undefined> {
    const image = path.slice(0, -1).join('/')
    const name = path.at(-1) ?? ''
    if (!isImageName(image)) return undefined
    const readable = this.#viewed.readable(image)
    if (readable.extent === 'none') return undefined
    const of = this.#of(image)
    const tag = isTag(name) && readable.has(name) ? name : undefined
    const byTag = tag && (await this.#storage.metadata.findStoredManifest(of, { tag }))
    if (byTag) return { of, tag, manifest: byTag }
    const digest = digestOfName(name)
    const manifest = digest && (await this.#storage.metadata.findStoredManifest(of, { digest }))
    if (!manifest?.standsAlone || !(await this.#isReachable(image, manifest.digest))) return undefined
    return { of, tag: undefined, manifest }
  }

  #manifestFile(found: FoundManifest): StoredFile {
    const { bytes, pushedAt } = found.manifest
    return bytesFile(bytes, {
      created: pushedAt,
      properties: async () =>
        merged(
          found.tag === undefined ? [] : await this.#saidOf(found),
          await manifestProperties(this.#storage, found),
        ),
    })
  }

  async #saidOf({ of, tag }: Pick<PlacedManifest, 'of' | 'tag'>): Promise<readonly Property[]> {
    return (await this.#storage.metadata.propertiesOf(of, tag)) ?? []
  }

  async #isReachable(image: ImageName, digest: Digest): Promise<boolean> {
    const tagsHolding = async () => this.#storage.metadata.tagsHolding(this.#of(image), digest)
    return isReachable({ tagsHolding }, { image }, digest, this.#viewed.readable(image))
  }

  #of(image: ImageName): ImageRef {
    return { repository: this.#viewed.key, image }
  }
}

function nameOfManifest(manifest: Manifest): string {
  return isIndex(manifest) ? 'list.manifest.json' : 'manifest.json'
}

/** In the order of their names, which is that of the digests. */
async function* namesAfter(
  after: string,
  kind: Child['kind'],
  fetch: (
    from: Digest | undefined,
  ) => Promise<{ readonly items: readonly Digest[]; readonly next: Digest | undefined }>,
): AsyncGenerator<Child, undefined> {
  const start = digestsAfter(after)
  if (!start) return
  let { from } = start
  do {
    const { items, next } = await fetch(from)
    for (const digest of items) {
      const name = nameOfDigest(digest)
      if (name > after) yield { name, kind }
    }
    from = next
  } while (from !== undefined)
}
