import { Migrator } from 'kysely/migration'
import type { MetadataDatabase } from './metadata-schema.ts'
import * as imagesAndUsers from './migrations/0001-images-and-users.ts'
import * as garbage from './migrations/0002-garbage.ts'
import * as access from './migrations/0003-access.ts'
import * as imageCache from './migrations/0004-image-cache.ts'
import * as dockerV1 from './migrations/0005-docker-v1.ts'
import * as properties from './migrations/0006-properties.ts'
import * as layerContents from './migrations/0007-layer-contents.ts'

/** By name, in this order, each once. */
const migrations = {
  '0001-images-and-users': imagesAndUsers,
  '0002-garbage': garbage,
  '0003-access': access,
  '0004-image-cache': imageCache,
  '0005-docker-v1': dockerV1,
  '0006-properties': properties,
  '0007-layer-contents': layerContents,
}

/** Brings the tables up to date. */
export async function migrate(db: MetadataDatabase): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } })
  const { error } = await migrator.migrateToLatest()
  if (error !== undefined) throw new Error('the database cannot be brought up to date', { cause: error })
}
