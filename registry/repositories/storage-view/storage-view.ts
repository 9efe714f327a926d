import type { RegistryConfig } from '../../config.ts'
import { isRepositoryKey } from '../../domain/names.ts'
import type { Property } from '../../domain/property.ts'
import { keptPart } from '../kept-part.ts'
import { mergeLists, takePage } from '../virtual/merged-pages.ts'
import type { ChildPage, Layout, Path, StoredFolder, StoredItem } from './stored-item.ts'
import { V1Layout } from './v1-layout.ts'
import { V2Layout } from './v2-layout.ts'
import type { ViewedRepository, ViewStorage } from './viewed-repository.ts'

/** What lies where in a repository, as far as it may be read. Paths have no slash at either end; the empty one is the whole. */
export interface StorageView {
  /** Undefined where nothing is: a folder is there only while something is in it. */
  item(path: string): Promise<StoredItem | undefined>
  /** What the registry knows of it, and what people have said. Undefined where nothing is. */
  properties(path: string): Promise<readonly Property[] | undefined>
}

/**
 * Of a local repository, or of what is cached of a remote one, by its key or that of its cache. Undefined for others: what a virtual
 * repository shows lies in its members.
 */
export function openStorageView(
  storage: ViewStorage,
  repositories: RegistryConfig['repositories'],
  { key, readable }: { readonly key: string; readonly readable: ViewedRepository['readable'] },
): StorageView | undefined {
  if (!isRepositoryKey(key)) return undefined
  const part = keptPart(repositories, key)
  if (!part) return undefined
  const viewed = { key: part.repository, readable: part.within(readable) }
  const config = repositories[part.repository]
  const speaksV1 = config?.type === 'local' && config.apiVersion === 'v1'
  return viewOf(speaksV1 ? new V1Layout(storage, viewed) : new V2Layout(storage, viewed))
}

function viewOf(layout: Layout): StorageView {
  const item = async (text: string): Promise<StoredItem | undefined> => {
    const path = text === '' ? [] : text.split('/')
    if (path.includes('')) return undefined
    const file = await layout.file(path)
    if (file) return file
    const folder = folderAt(layout, path)
    if (path.length === 0) return folder
    return (await folder.children(undefined, 1)).items.length > 0 ? folder : undefined
  }
  return { item, properties: async (path) => (await item(path))?.properties() }
}

function folderAt(layout: Layout, path: Path): StoredFolder {
  return {
    kind: 'folder',
    children: async (after, limit): Promise<ChildPage> => {
      const { items, last } = await takePage(
        mergeLists(layout.children(path, after), ({ name }) => name),
        limit,
      )
      return { items, next: last?.name }
    },
    properties: () => layout.folderProperties(path),
  }
}
