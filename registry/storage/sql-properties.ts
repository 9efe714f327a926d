import type { ImageRef, Tag } from '../domain/names.ts'
import type { Property, PropertyName, PropertyValue } from '../domain/property.ts'
import type { MetadataDatabase } from './metadata-schema.ts'
import type { Properties } from './properties.ts'
import { findImageId } from './sql-image-id.ts'
import { digestOfTag } from './sql-kept-manifests.ts'

export function sqlProperties(db: MetadataDatabase): Properties {
  return {
    setProperty: (of, tag, name, values) =>
      db.transaction().execute(async (db) => {
        const place = await findPlace(db, of, tag)
        if (!place) return false
        await remove(db, place, name)
        for (const value of new Set(values)) await add(db, place, name, value)
        return true
      }),

    removeProperty: (of, tag, name) =>
      db.transaction().execute(async (db) => {
        const place = await findPlace(db, of, tag)
        return place ? await remove(db, place, name) : false
      }),

    propertiesOf: (of, tag) =>
      db.transaction().execute(async (db) => {
        const place = await findPlace(db, of, tag)
        return place && grouped(await rowsOf(db, place))
      }),
  }
}

interface Place {
  readonly imageId: number
  readonly tag: Tag | undefined
}

async function findPlace(db: MetadataDatabase, of: ImageRef, tag: Tag | undefined): Promise<Place | undefined> {
  const imageId = await findImageId(db, of)
  if (imageId === undefined) return undefined
  if (tag !== undefined && (await digestOfTag(db, imageId, tag)) === undefined) return undefined
  return { imageId, tag }
}

async function add(
  db: MetadataDatabase,
  { imageId: image_id, tag }: Place,
  name: PropertyName,
  value: PropertyValue,
): Promise<void> {
  if (tag === undefined) await db.insertInto('image_properties').values({ image_id, name, value }).execute()
  else await db.insertInto('tag_properties').values({ image_id, tag, name, value }).execute()
}

async function remove(db: MetadataDatabase, { imageId, tag }: Place, name: PropertyName): Promise<boolean> {
  const removed = await (
    tag === undefined
      ? db.deleteFrom('image_properties').where('image_id', '=', imageId).where('name', '=', name)
      : db.deleteFrom('tag_properties').where('image_id', '=', imageId).where('tag', '=', tag).where('name', '=', name)
  ).executeTakeFirstOrThrow()
  return removed.numDeletedRows > 0n
}

async function rowsOf(db: MetadataDatabase, { imageId, tag }: Place) {
  if (tag === undefined) {
    const all = db.selectFrom('image_properties').where('image_id', '=', imageId).select(['name', 'value'])
    return all.orderBy('name').orderBy('value').execute()
  }
  const all = db.selectFrom('tag_properties').where('image_id', '=', imageId).where('tag', '=', tag)
  return all.select(['name', 'value']).orderBy('name').orderBy('value').execute()
}

function grouped(rows: readonly { readonly name: string; readonly value: string }[]): readonly Property[] {
  const byName = Map.groupBy(rows, ({ name }) => name)
  return [...byName].map(([name, rows]) => ({ name, values: rows.map(({ value }) => value) }))
}
