import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout } from 'node:timers/promises'
import type { RegistryClient } from '../helpers/registry-client.ts'

const checkMs = 5
const mostChecks = 1000
const mostRounds = 20

/** What must be true of the tables of the V1 API, whatever anybody was told: rows come and go together. */
const broken = {
  'is no image': `select i.name, m.digest from manifests m join images i on i.id = m.image_id
    where i.repository <> '' and m.media_type = 'application/vnd.docker.image.v1+json'
      and not exists (select 1 from v1_images v where v.image_id = m.image_id and v.digest = m.digest)`,
  'does not hold its layer': `select i.name, v.id from v1_images v join images i on i.id = v.image_id
    where i.repository <> '' and not exists (select 1 from manifest_references r
      where r.image_id = v.image_id and r.manifest_digest = v.digest and r.kind = 'blob' and r.digest = v.layer)`,
  'does not hold its parent': `select i.name, v.id from v1_images v join images i on i.id = v.image_id
    where i.repository <> '' and v.parent is not null and not exists (
      select 1 from v1_images p join manifest_references r on r.image_id = p.image_id and r.digest = p.digest
      where p.image_id = v.image_id and p.id = v.parent and r.manifest_digest = v.digest and r.kind = 'entry')`,
}

const ofV1 = `join images i on i.id = x.image_id where i.repository = 'docker-v1'`

const unfinished = {
  upload: 'select id from uploads',
  push: 'select image, id from v1_pushes',
}

const queued = {
  'manifest in review': `select x.digest from manifest_reviews x ${ofV1}`,
  'link in review': `select x.digest from link_reviews x ${ofV1}`,
  'deleted image': `select id from images where repository = ''`,
}

/** Of no use to anybody. */
const unheld = {
  'link to a blob': `select i.name, x.digest from image_blobs x ${ofV1} and not exists (
    select 1 from manifest_references r where r.image_id = x.image_id and r.digest = x.digest and r.kind = 'blob')`,
  image: `select i.name, x.digest from manifests x ${ofV1}
    and not exists (select 1 from tags t where t.image_id = x.image_id and t.digest = x.digest)
    and not exists (select 1 from manifest_references r
      where r.image_id = x.image_id and r.digest = x.digest and r.kind = 'entry')`,
}

export function v1Tables(dataDirectory: string): readonly string[] {
  return found(dataDirectory, broken, (what, row) => `a manifest of the V1 API ${what}: ${row}`)
}

/**
 * Waits until a registry without any time of grace has nothing more to clear. A time limit, because what it does not clear is what
 * `v1Leftovers` is asked for.
 */
export async function clearV1(dataDirectory: string, client: RegistryClient): Promise<void> {
  for (let check = 0; check < mostChecks && isAny(dataDirectory, unfinished); check++) await setTimeout(checkMs)
  for (let round = 0; round < mostRounds && isAny(dataDirectory, queued); round++)
    await client.ask('POST', '/artifactory/api/system/storage/gc')
}

/** What is left of pushes that have not come to an end, and of what was deleted. */
export function v1Leftovers(dataDirectory: string): readonly string[] {
  return found(dataDirectory, { ...unfinished, ...queued, ...unheld }, (what, row) => `left over is the ${what} ${row}`)
}

function isAny(dataDirectory: string, statements: Readonly<Record<string, string>>): boolean {
  return found(dataDirectory, statements, (what) => what).length > 0
}

function found(
  dataDirectory: string,
  statements: Readonly<Record<string, string>>,
  sentence: (what: string, row: string) => string,
): readonly string[] {
  using database = new DatabaseSync(join(dataDirectory, 'caisson.db'), { readOnly: true })
  return Object.entries(statements).flatMap(([what, statement]) =>
    database
      .prepare(statement)
      .all()
      .map((row) => sentence(what, JSON.stringify(row))),
  )
}
