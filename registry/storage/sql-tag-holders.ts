import { sql } from 'kysely'
import type { Digest } from '../domain/digest.ts'
import type { Tag } from '../domain/names.ts'
import type { MetadataDatabase } from './metadata-schema.ts'
import type { ImageRef, Images } from './metadata-store.ts'

export function sqlTagHolders(db: MetadataDatabase): Pick<Images, 'tagsHolding'> {
  return {
    tagsHolding: async (of, digest) => {
      const { rows } = await query(of, digest).execute(db)
      return rows.map(({ name }) => name)
    },
  }
}

/** From the manifest or blob to what names it, and to the subject that it refers to: who has that is shown this. */
function query({ repository, image }: ImageRef, digest: Digest) {
  return sql<{ readonly name: Tag }>`
    with recursive naming (image_id, digest) as (
      select id, ${digest} from images where repository = ${repository} and name = ${image}
      union
      select r.image_id, r.manifest_digest from naming n
        join manifest_references r on r.image_id = n.image_id and r.digest = n.digest
      union
      select m.image_id, m.subject from naming n
        join manifests m on m.image_id = n.image_id and m.digest = n.digest
        where m.subject is not null
    )
    select distinct t.name from naming n join tags t on t.image_id = n.image_id and t.digest = n.digest`
}
