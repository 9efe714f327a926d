import type { MetadataDatabase } from './metadata-schema.ts'
import type { MetadataStore } from './metadata-store.ts'
import { sqlBlobLinks } from './sql-blob-links.ts'
import { sqlDeletedImages } from './sql-deleted-images.ts'
import { sqlGarbage } from './sql-garbage.ts'
import { sqlIntegrity } from './sql-integrity.ts'
import { sqlManifests } from './sql-manifests.ts'
import { sqlNames } from './sql-names.ts'
import { sqlReferrers } from './sql-referrers.ts'
import { sqlRepositoryUsage } from './sql-repository-usage.ts'
import { sqlSecrets } from './sql-secrets.ts'
import { sqlUploadOwners } from './sql-upload-owners.ts'
import { sqlUsers } from './sql-users.ts'

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
    ...sqlUsers(db),
    ...sqlSecrets(db),
    [Symbol.asyncDispose]: () => db.destroy(),
  }
}
