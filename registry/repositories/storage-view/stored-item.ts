import type { Property } from '../../domain/property.ts'
import type { BlobHandle } from '../repository.ts'

/** What lies at a path of a repository, in Artifactory's layout. */
export type StoredItem = StoredFile | StoredFolder

export interface StoredFile {
  readonly kind: 'file'
  /** In bytes. */
  readonly size: number
  /** Hexadecimal; undefined where the bytes are known by another digest. */
  readonly sha256: string | undefined
  readonly created: Date
  readonly content: Uint8Array | BlobHandle
  properties(): Promise<readonly Property[]>
}

export interface StoredFolder {
  readonly kind: 'folder'
  /** In byte order of their names. `next` is the last name of this page when there are more, to be passed as `after`. */
  children(after: string | undefined, limit: number): Promise<ChildPage>
  properties(): Promise<readonly Property[]>
}

export interface Child {
  readonly name: string
  readonly kind: StoredItem['kind']
}

export interface ChildPage {
  readonly items: readonly Child[]
  readonly next: string | undefined
}

/** How the content of a repository is laid out in paths. */
export interface Layout {
  file(path: Path): Promise<StoredFile | undefined>
  /** Lists that together are what is in the folder, each in byte order from `after` on; none where no folder can be. */
  children(path: Path, after: string | undefined): readonly AsyncGenerator<Child, undefined>[]
  folderProperties(path: Path): Promise<readonly Property[]>
}

/** Segments, none of them empty; the folder of the whole repository has none. */
export type Path = readonly string[]
