import type { MetadataDatabase } from './metadata-schema.ts'
import type { MetadataStore } from './metadata-store.ts'
import { sqlBlobLinks } from './sql-blob-links.ts'
import { sqlManifests } from './sql-manifests.ts'
import { sqlNames } from './sql-names.ts'
import { sqlSecrets } from './sql-secrets.ts'
import { sqlUploadOwners } from './sql-upload-owners.ts'
import { sqlUsers } from './sql-users.ts'

/** The queries are the same for every database; the caller has brought its tables up to date. Disposing closes it. */
export function sqlMetadata(db: MetadataDatabase, now: () => Date): MetadataStore {
  return {
    ...sqlManifests(db, now),
    ...sqlNames(db),
    ...sqlBlobLinks(db),
    ...sqlUploadOwners(db, now),
    ...sqlUsers(db),
    ...sqlSecrets(db),
    [Symbol.asyncDispose]: () => db.destroy(),
  }
}
