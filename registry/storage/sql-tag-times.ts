import type { ImageName, RepositoryKey, Tag } from '../domain/names.ts'
import type { ImageCache } from './image-cache.ts'
import type { MetadataDatabase } from './metadata-schema.ts'
import { parameter, prepare } from './prepared-query.ts'

export function sqlTagTimes(db: MetadataDatabase): Pick<ImageCache, 'findTagTime'> {
  const time = prepare(
    db
      .selectFrom('images')
      .innerJoin('tags', 'tags.image_id', 'images.id')
      .where('images.repository', '=', parameter<RepositoryKey>('repository'))
      .where('images.name', '=', parameter<ImageName>('image'))
      .where('tags.name', '=', parameter<Tag>('tag'))
      .select('tags.updated_at'),
  )
  return {
    findTagTime: async (of, tag) => {
      const row = await time.first(db, { ...of, tag })
      return row && new Date(row.updated_at)
    },
  }
}
