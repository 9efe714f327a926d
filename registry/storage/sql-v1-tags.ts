import { sql } from 'kysely'
import type { Tag } from '../domain/names.ts'
import type { V1ImageId } from '../domain/v1-image.ts'
import type { MetadataDatabase } from './metadata-schema.ts'
import type { ImageRef } from './metadata-store.ts'
import { moveTag } from './sql-kept-manifests.ts'
import { refuseMoved } from './sql-manifests.ts'
import { findV1Digest } from './sql-v1-images.ts'
import type { V1Images } from './v1-images.ts'

/** Which tags are on which images of the V1 API. */
export function sqlV1Tags(
  db: MetadataDatabase,
  now: () => Date,
): Pick<V1Images, 'findV1Tag' | 'listV1Tags' | 'putV1Tag'> {
  const tagged = ({ repository, image }: ImageRef) => sql`from images i join tags t on t.image_id = i.id
      join v1_images v on v.image_id = t.image_id and v.digest = t.digest
    where i.repository = ${repository} and i.name = ${image}`

  return {
    findV1Tag: async (of, tag) => {
      const found = sql<{ readonly id: V1ImageId }>`select v.id ${tagged(of)} and t.name = ${tag}`
      return (await found.execute(db)).rows[0]?.id
    },

    listV1Tags: async (of) => {
      const all = sql<{
        readonly tag: Tag
        readonly id: V1ImageId
      }>`select t.name as tag, v.id ${tagged(of)} order by t.name`
      return (await all.execute(db)).rows
    },

    putV1Tag: (of, tag, id, mayTake = () => true) =>
      db.transaction().execute(async (db) => {
        const found = await findV1Digest(db, of, id)
        if (!found) return false
        if (!mayTake(tag)) await refuseMoved(db, found.imageId, tag, found.digest)
        await moveTag(db, found.imageId, tag, found.digest, now().toISOString())
        return true
      }),
  }
}
