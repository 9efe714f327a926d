import type { MetadataDatabase } from './metadata-schema.ts'
import type { MetadataStore } from './metadata-store.ts'
import { sqlAccessTokens } from './sql-access-tokens.ts'
import { sqlAccessVersion } from './sql-access-version.ts'
import { sqlBlobLinks } from './sql-blob-links.ts'
import { sqlDeletedImages } from './sql-deleted-images.ts'
import { sqlGarbage } from './sql-garbage.ts'
import { sqlGroups } from './sql-groups.ts'
import { sqlImageCache } from './sql-image-cache.ts'
import { sqlImageSearch } from './sql-image-search.ts'
import { sqlIntegrity } from './sql-integrity.ts'
import { sqlLayerContents } from './sql-layer-contents.ts'
import { sqlManifests } from './sql-manifests.ts'
import { sqlNames } from './sql-names.ts'
import { sqlPermissionTargets } from './sql-permission-targets.ts'
import { sqlProperties } from './sql-properties.ts'
import { sqlReferrers } from './sql-referrers.ts'
import { sqlRepositoryUsage } from './sql-repository-usage.ts'
import { sqlSecrets } from './sql-secrets.ts'
import { sqlSigningKeys } from './sql-signing-keys.ts'
import { sqlStoredItems } from './sql-stored-items.ts'
import { sqlTagHolders } from './sql-tag-holders.ts'
import { sqlUploadOwners } from './sql-upload-owners.ts'
import { sqlUsers } from './sql-users.ts'
import { sqlV1Images } from './sql-v1-images.ts'
import { sqlV1Pushes } from './sql-v1-pushes.ts'
import { sqlV1Tags } from './sql-v1-tags.ts'

/** The queries are the same for every database; the caller has brought its tables up to date. Disposing closes it. */
export function sqlMetadata(db: MetadataDatabase, now: () => Date): MetadataStore {
  return {
    ...sqlManifests(db, now),
    ...sqlNames(db),
    ...sqlBlobLinks(db, now),
    ...sqlReferrers(db),
    ...sqlRepositoryUsage(db),
    ...sqlDeletedImages(db, now),
    ...sqlGarbage(db, now),
    ...sqlIntegrity(db),
    ...sqlUploadOwners(db, now),
    ...sqlImageCache(db, now),
    ...sqlTagHolders(db),
    ...sqlLayerContents(db),
    ...sqlProperties(db),
    ...sqlImageSearch(db),
    ...sqlStoredItems(db),
    ...sqlV1Images(db, now),
    ...sqlV1Pushes(db, now),
    ...sqlV1Tags(db, now),
    ...sqlUsers(db),
    ...sqlGroups(db),
    ...sqlPermissionTargets(db),
    ...sqlAccessTokens(db),
    ...sqlSigningKeys(db),
    ...sqlSecrets(db),
    ...sqlAccessVersion(db),
    [Symbol.asyncDispose]: () => db.destroy(),
  }
}
