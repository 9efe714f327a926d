import { sql } from 'kysely'
import type { ImageName, RepositoryKey } from '../domain/names.ts'
import { descriptionProperty } from '../domain/property.ts'
import type { FoundImage, ImageSearch } from './image-search.ts'
import type { MetadataDatabase } from './metadata-schema.ts'
import { parameter, prepare } from './prepared-query.ts'

/** What one statement looks through: while it runs, nothing else does. */
const imagesAtOnce = 200

export function sqlImageSearch(db: MetadataDatabase): ImageSearch {
  const last = prepare(
    db
      .selectFrom('images')
      .where('repository', '=', parameter<RepositoryKey>('repository'))
      .where('name', '>', parameter<ImageName>('after'))
      .orderBy('name')
      .limit(1)
      .offset(imagesAtOnce - 1)
      .select('name'),
  )
  return {
    searchImages: async (repository, text, after = '' as ImageName) => {
      const next = (await last.first(db, { repository, after }))?.name
      const upTo = next === undefined ? sql`` : sql`and i.name <= ${next}`
      const like = sql`like ${patternOf(text)} escape '\\'`
      const described = sql`select p.value from image_properties p
        where p.image_id = i.id and p.name = ${descriptionProperty}`
      const { rows } = await sql<FoundImage>`
        select i.name as image, coalesce((${described} order by p.value limit 1), '') as description
        from images i
        where i.repository = ${repository} and i.name > ${after} ${upTo}
          and (i.name ${like} or exists (${described} and lower(p.value) ${like}))
          and exists (select 1 from tags t where t.image_id = i.id)
        order by i.name`.execute(db)
      return { items: rows, next }
    },
  }
}

function patternOf(text: string): string {
  const lower = text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase()) // as SQLite's `lower` does it
  return `%${lower.replaceAll(/[\\%_]/g, '\\$&')}%`
}
