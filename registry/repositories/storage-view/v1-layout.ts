import { isImageName, isTag, type ImageName, type ImageRef, type Tag } from '../../domain/names.ts'
import { descriptionProperty, type Property } from '../../domain/property.ts'
import { isV1ImageId, type V1ImageId } from '../../domain/v1-image.ts'
import type { KeptV1Image } from '../../storage/v1-images.ts'
import { isReachable } from '../reachable.ts'
import { itemsAfter } from '../virtual/merged-pages.ts'
import { blobFile, bytesFile, jsonFile } from './files.ts'
import { ImageFolders } from './image-folders.ts'
import { merged, property } from './property-list.ts'
import type { Child, Layout, Path, StoredFile } from './stored-item.ts'
import type { ViewedRepository, ViewStorage } from './viewed-repository.ts'

const [images, repositories] = ['.images', 'repositories'] as const
const filesOfImage = ['_checksum.json', 'ancestry.json', 'json.json', 'layer.tar'] as const
const fileOfTag = 'tag.json'
const tagsAtOnce = 1000
/** Comes after every id that begins with what stands before it. */
const beyond = 'g'

/**
 * `.images/<first two digits>/<id>/` has what there is of an image, once for all image names that have it;
 * `repositories/<image>/<tag>/` which one a tag is on.
 */
export class V1Layout implements Layout {
  readonly #storage: ViewStorage
  readonly #viewed: ViewedRepository
  readonly #images: ImageFolders

  constructor(storage: ViewStorage, viewed: ViewedRepository) {
    this.#storage = storage
    this.#viewed = viewed
    this.#images = new ImageFolders(storage, viewed, 'tags')
  }

  async file(path: Path): Promise<StoredFile | undefined> {
    const [name, folder] = [path.at(-1), path.slice(0, -1)]
    const of = filesOfImage.find((known) => known === name)
    const image = of && (await this.#imageIn(folder))
    if (image) return this.#fileOf(image, of)
    const tag = name === fileOfTag ? await this.#tagIn(folder) : undefined
    return tag && this.#tagFile(tag)
  }

  children(path: Path, after = ''): readonly AsyncGenerator<Child, undefined>[] {
    const [root, ...inside] = path
    switch (root) {
      case undefined:
        return [this.#roots(after)]
      case images:
        return [this.#inImages(inside, after)]
      case repositories:
        return this.#inRepositories(inside, after)
      default:
        return []
    }
  }

  async folderProperties(path: Path): Promise<readonly Property[]> {
    const image = await this.#imageIn(path)
    if (image) return propertiesOfImage(image)
    const [root, ...inside] = path
    const name = inside.join('/')
    const isReadable = root === repositories && isImageName(name) && this.#viewed.readable(name).extent !== 'none'
    const ofImage = isReadable ? await this.#saidOf(name, undefined) : []
    const tag = await this.#tagIn(path)
    return merged(ofImage, tag ? await this.#propertiesOfTag(tag) : [])
  }

  async *#roots(after: string): AsyncGenerator<Child, undefined> {
    for (const name of [images, repositories])
      for await (const _ of this.children([name], undefined)[0] ?? []) {
        if (name > after) yield { name, kind: 'folder' }
        break
      }
  }

  #inImages([start, id, ...more]: Path, after: string): AsyncGenerator<Child, undefined> {
    if (start === undefined) return this.#starts(after)
    return id === undefined ? this.#idsWith(start, after) : this.#filesIn([start, id, ...more], after)
  }

  /** What ids begin with. */
  async *#starts(after: string): AsyncGenerator<Child, undefined> {
    let id = await this.#nextId('', after && `${after}${beyond}`)
    while (id !== undefined) {
      const name = id.slice(0, 2)
      if (await this.#isAnyReadable(name)) yield { name, kind: 'folder' }
      id = await this.#nextId('', `${name}${beyond}`)
    }
  }

  async *#idsWith(start: string, after: string): AsyncGenerator<Child, undefined> {
    if (start.length !== 2) return
    let name = await this.#nextId(start, after > start ? after : start)
    while (name !== undefined) {
      if (await this.#readableImage(name)) yield { name, kind: 'folder' }
      name = await this.#nextId(start, name)
    }
  }

  async *#filesIn(path: Path, after: string): AsyncGenerator<Child, undefined> {
    if (!(await this.#imageIn([images, ...path]))) return
    for (const name of filesOfImage) if (name > after) yield { name, kind: 'file' }
  }

  #inRepositories(path: Path, after: string): readonly AsyncGenerator<Child, undefined>[] {
    const image = path.join('/')
    const below = this.#images.below(image === '' ? '' : `${image}/`, after)
    return [below, ...(isImageName(image) ? [this.#tags(image, after)] : []), this.#tagFileIn(path, after)]
  }

  async *#tags(image: ImageName, after: string): AsyncGenerator<Child, undefined> {
    const readable = this.#viewed.readable(image)
    if (readable.extent === 'none') return
    const tags = itemsAfter((from) => this.#storage.metadata.listTags(this.#of(image), from, tagsAtOnce), after)
    for await (const name of tags) if (readable.has(name)) yield { name, kind: 'folder' }
  }

  async *#tagFileIn(path: Path, after: string): AsyncGenerator<Child, undefined> {
    if (fileOfTag > after && (await this.#tagIn([repositories, ...path]))) yield { name: fileOfTag, kind: 'file' }
  }

  /** The image whose folder it is, in one of the image names by which it may be read. */
  async #imageIn([root, start, id = '', ...more]: Path): Promise<KeptV1Image | undefined> {
    if (root !== images || more.length > 0 || !isV1ImageId(id) || id.slice(0, 2) !== start) return undefined
    return this.#readableImage(id)
  }

  async #readableImage(id: V1ImageId): Promise<KeptV1Image | undefined> {
    const { metadata } = this.#storage
    for (const image of await metadata.findV1Images(this.#viewed.key, id)) {
      const readable = this.#viewed.readable(image.of.image)
      const tagsHolding = async () => metadata.tagsHolding(image.of, image.digest)
      if (await isReachable({ tagsHolding }, image.of, image.digest, readable)) return image
    }
    return undefined
  }

  async #isAnyReadable(start: string): Promise<boolean> {
    let id = await this.#nextId(start, start)
    while (id !== undefined) {
      if (await this.#readableImage(id)) return true
      id = await this.#nextId(start, id)
    }
    return false
  }

  /** Of those that begin with `start`. */
  async #nextId(start: string, after: string): Promise<V1ImageId | undefined> {
    const id = await this.#storage.metadata.nextV1Image(this.#viewed.key, after)
    return id?.startsWith(start) ? id : undefined
  }

  async #tagIn([root, ...inside]: Path): Promise<TaggedImage | undefined> {
    const [image, tag] = [inside.slice(0, -1).join('/'), inside.at(-1) ?? '']
    if (root !== repositories || !isImageName(image) || !isTag(tag)) return undefined
    if (!this.#viewed.readable(image).has(tag)) return undefined
    const id = await this.#storage.metadata.findV1Tag(this.#of(image), tag)
    return id && { image, tag, id }
  }

  async #fileOf(image: KeptV1Image, name: (typeof filesOfImage)[number]): Promise<StoredFile | undefined> {
    const { metadata } = this.#storage
    const stored = await metadata.findStoredManifest(image.of, { digest: image.digest })
    if (!stored) return undefined
    const { layer, of, id } = image
    const created = stored.pushedAt
    switch (name) {
      case '_checksum.json':
        return jsonFile([layer.checksum, ...(layer.tarsum === undefined ? [] : [layer.tarsum])], { created })
      case 'ancestry.json':
        return jsonFile(
          (await metadata.v1Ancestry(of, id)).map(({ id }) => id),
          { created },
        )
      case 'json.json':
        return bytesFile(stored.bytes, { created, properties: async () => propertiesOfImage(image) })
      case 'layer.tar':
        return blobFile(this.#storage, layer, created)
    }
  }

  async #tagFile(tagged: TaggedImage): Promise<StoredFile | undefined> {
    const created = await this.#storage.metadata.findTagTime(this.#of(tagged.image), tagged.tag)
    return created && jsonFile(tagged.id, { created, properties: () => this.#propertiesOfTag(tagged) })
  }

  async #propertiesOfTag({ image, tag, id }: TaggedImage): Promise<readonly Property[]> {
    const ofImage = (await this.#saidOf(image, undefined)).filter(({ name }) => name === descriptionProperty)
    const known = [
      property('docker.repoName', image),
      property('docker.tag.content', id),
      property('docker.tag.name', tag),
    ]
    return merged([...ofImage, ...(await this.#saidOf(image, tag))], known)
  }

  async #saidOf(image: ImageName, tag: Tag | undefined): Promise<readonly Property[]> {
    return (await this.#storage.metadata.propertiesOf(this.#of(image), tag)) ?? []
  }

  #of(image: ImageName): ImageRef {
    return { repository: this.#viewed.key, image }
  }
}

interface TaggedImage {
  readonly image: ImageName
  readonly tag: Tag
  readonly id: V1ImageId
}

/** Artifactory says bits and means bytes. */
function propertiesOfImage({ id, layer }: KeptV1Image): readonly Property[] {
  return [property('docker.imageId', id), property('docker.size', String(layer.size))]
}
