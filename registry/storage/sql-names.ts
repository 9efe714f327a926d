import type { ImageName, RepositoryKey, Tag } from '../domain/names.ts'
import type { MetadataDatabase } from './metadata-schema.ts'
import type { Images, Page } from './metadata-store.ts'
import { parameter, prepare } from './prepared-query.ts'

/** Lists of names, in byte order. */
export function sqlNames(db: MetadataDatabase): Pick<Images, 'listTags' | 'listImages'> {
  const tags = prepare(
    db
      .selectFrom('images')
      .innerJoin('tags', 'tags.image_id', 'images.id')
      .where('images.repository', '=', parameter<RepositoryKey>('repository'))
      .where('images.name', '=', parameter<ImageName>('image'))
      .where('tags.name', '>', parameter<Tag>('after'))
      .orderBy('tags.name')
      .limit(parameter<number>('limit'))
      .select('tags.name'),
  )
  const hasManifests = prepare(
    db
      .selectFrom('images')
      .innerJoin('manifests', 'manifests.image_id', 'images.id')
      .where('images.repository', '=', parameter<RepositoryKey>('repository'))
      .where('images.name', '=', parameter<ImageName>('image'))
      .limit(1)
      .select('images.id'),
  )
  const images = prepare(
    db
      .selectFrom('images')
      .where('repository', '=', parameter<RepositoryKey>('repository'))
      .where('name', '>', parameter<ImageName>('after'))
      .where((it) =>
        it.exists(it.selectFrom('manifests').whereRef('image_id', '=', 'images.id').select('manifests.digest')),
      )
      .orderBy('name')
      .limit(parameter<number>('limit'))
      .select('name'),
  )

  return {
    listTags: async (of, after = '', limit) => {
      const rows = await tags.all(db, { ...of, after, limit: limit + 1 })
      if (rows.length === 0 && !(await hasManifests.first(db, { ...of }))) return undefined
      return pageOf(rows, limit)
    },
    listImages: async (repository, after = '', limit) =>
      pageOf(await images.all(db, { repository, after, limit: limit + 1 }), limit),
  }
}

/** Of one row more than asked for, which tells whether there are more. */
function pageOf<name>(rows: readonly { readonly name: name }[], limit: number): Page<name> {
  const items = rows.slice(0, limit).map(({ name }) => name)
  return { items, next: rows.length > limit ? items.at(-1) : undefined }
}
