import { isImageName, type ImageName } from '../../domain/names.ts'
import { isKnown } from '../reachable.ts'
import { itemsAfter } from '../virtual/merged-pages.ts'
import type { Child } from './stored-item.ts'
import type { ViewedRepository, ViewStorage } from './viewed-repository.ts'

/** Comes after everything that can follow a slash in the name of an image. */
const beyond = '~'
const imagesAtOnce = 100

/** The folders that the names of images make. Of an image that nothing may be read of, there is none. */
export class ImageFolders {
  readonly #metadata: ViewStorage['metadata']
  readonly #viewed: ViewedRepository
  readonly #foldersOf: 'tags' | 'manifests'

  /** `of`: what there is a folder for in that of an image. */
  constructor({ metadata }: ViewStorage, viewed: ViewedRepository, of: 'tags' | 'manifests') {
    this.#metadata = metadata
    this.#viewed = viewed
    this.#foldersOf = of
  }

  /**
   * Those below `prefix`, which is empty or ends in a slash. Their images come in another order than they do ("a-b/x" before "a/x"), and
   * there may be very many below one: each step looks for the next one alone.
   */
  async *below(prefix: string, after = ''): AsyncGenerator<Child, undefined> {
    let name = await this.#next(prefix, after)
    while (name !== undefined) {
      if (await this.#isVisible(prefix + name)) yield { name, kind: 'folder' }
      name = await this.#next(prefix, name)
    }
  }

  async #next(prefix: string, after: string): Promise<string | undefined> {
    let from = prefix + after
    for (;;) {
      const image = await this.#firstAfter(from)
      if (!image?.startsWith(prefix)) return undefined
      const [folder = ''] = image.slice(prefix.length).split('/', 1)
      if (folder > after) return (await this.#earlier(prefix, folder, after)) ?? folder
      from = `${prefix}${folder}/${beyond}`
    }
  }

  /** One whose name the other begins with, but whose images come later: there is "-" or "." where these have the slash. */
  async #earlier(prefix: string, folder: string, after: string): Promise<string | undefined> {
    for (const { index } of folder.matchAll(/[-.]/g)) {
      const shorter = folder.slice(0, index)
      const below = `${prefix}${shorter}/`
      if (shorter > after && (await this.#firstAfter(below))?.startsWith(below)) return shorter
    }
    return undefined
  }

  async #firstAfter(name: string): Promise<ImageName | undefined> {
    return (await this.#metadata.listImages(this.#viewed.key, name, 1)).items[0]
  }

  /** Whether something may be read of the image of this name, or of one below it. */
  async #isVisible(path: string): Promise<boolean> {
    if (isImageName(path) && (await this.#metadata.listTags(this.#of(path), undefined, 1))) {
      if (await this.#isKnown(path)) return true
    }
    const below = `${path}/`
    const images = itemsAfter((after) => this.#metadata.listImages(this.#viewed.key, after, imagesAtOnce), below)
    for await (const image of images) {
      if (!image.startsWith(below)) return false
      if (await this.#isKnown(image)) return true
    }
    return false
  }

  async #isKnown(image: ImageName): Promise<boolean> {
    if (this.#foldersOf === 'tags' && !(await this.#tags(image, undefined, 1))?.items.length) return false
    return isKnown({ tags: this.#tags.bind(this) }, image, this.#viewed.readable(image))
  }

  async #tags(image: ImageName, after: string | undefined, limit: number) {
    return this.#metadata.listTags(this.#of(image), after, limit)
  }

  #of(image: ImageName) {
    return { repository: this.#viewed.key, image }
  }
}
