import type { ImageName, RepositoryKey } from '../../domain/names.ts'
import type { TagSet } from '../../domain/tag-set.ts'
import type { Blobs } from '../../storage/blob-store.ts'
import type { MetadataStore } from '../../storage/metadata-store.ts'

export interface ViewStorage {
  readonly blobs: Blobs
  readonly metadata: Pick<
    MetadataStore,
    | 'listImages'
    | 'listTags'
    | 'tagsHolding'
    | 'propertiesOf'
    | 'findStoredManifest'
    | 'listBlobsOf'
    | 'findBlobOf'
    | 'listStandingAlone'
    | 'nextV1Image'
    | 'findV1Images'
    | 'findV1Tag'
    | 'v1Ancestry'
    | 'findTagTime'
  >
}

/** One repository, and the tags of its images that may be read. */
export interface ViewedRepository {
  readonly key: RepositoryKey
  readonly readable: (image: ImageName) => TagSet
}
