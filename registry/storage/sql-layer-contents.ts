import { sql } from 'kysely'
import type { LayerContent, LayerContents } from './layer-contents.ts'
import type { MetadataDatabase } from './metadata-schema.ts'

export function sqlLayerContents(db: MetadataDatabase): LayerContents {
  return {
    findLayerContent: async (wanted) => {
      const found = await db
        .selectFrom('layer_contents')
        .where('digest', '=', wanted)
        .select(['digest', 'diff_id as diffId', 'packing', 'in_gzip as inGzip'])
        .executeTakeFirst()
      return found && { ...found, inGzip: found.inGzip ?? undefined }
    },

    noteLayerContent: async ({ digest, diffId, packing, inGzip }: LayerContent) => {
      await sql`insert into layer_contents (digest, diff_id, packing, in_gzip)
        select digest, ${diffId}, ${packing}, ${inGzip ?? null} from blobs where digest = ${digest}
        on conflict (digest) do update
          set diff_id = excluded.diff_id, packing = excluded.packing, in_gzip = excluded.in_gzip`.execute(db)
    },
  }
}
