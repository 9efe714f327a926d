import { hash } from 'node:crypto'
import { DatabaseSync } from 'node:sqlite'

export interface Crowd {
  readonly images: number
  readonly manifestsPerImage: number
  readonly blobsPerManifest: number
}

/** `what` and its number make a digest of its own. */
export function digestOf(what: string, number: number): string {
  return `sha256:${hash('sha256', `${what} ${number}`, 'hex')}`
}

/**
 * Fills a new database with images of repository `docker-local`, each manifest with a tag and with blobs of its own, none of which
 * have bytes. Written as rows, because a million pushes would take hours.
 */
export function fill(file: string, { images, manifestsPerImage, blobsPerManifest }: Crowd): void {
  using database = new DatabaseSync(file)
  database.exec('pragma synchronous = off')
  const insert = (table: string, columns: number) =>
    database.prepare(`insert into ${table} values (${Array.from({ length: columns }, () => '?').join(', ')})`)
  const image = insert('images', 3)
  const blob = database.prepare('insert into blobs (digest, size) values (?, ?)')
  const link = insert('image_blobs', 2)
  const manifest = insert('manifests', 7)
  const reference = insert('manifest_references', 4)
  const tag = insert('tags', 4)
  const at = new Date(0).toISOString()

  let manifests = 0
  let blobs = 0
  for (let id = 1; id <= images; id++) {
    database.exec('begin')
    image.run(id, 'docker-local', `team/image-${String(id).padStart(6, '0')}`)
    for (let version = 0; version < manifestsPerImage; version++) {
      const digest = digestOf('manifest', manifests++)
      manifest.run(id, digest, 'application/vnd.oci.image.manifest.v1+json', Buffer.alloc(1500, 32), null, null, at)
      tag.run(id, `v${String(version).padStart(6, '0')}`, digest, at)
      for (let layer = 0; layer < blobsPerManifest; layer++) {
        const named = digestOf('blob', blobs++)
        blob.run(named, 1000)
        link.run(id, named)
        reference.run(id, digest, named, 'blob')
      }
    }
    database.exec('commit')
  }
}

/** As if every tag had been deleted at that time. */
export function untagAll(file: string, since: Date): void {
  using database = new DatabaseSync(file)
  database.exec('begin; delete from tags')
  const review = `insert into manifest_reviews (image_id, digest, repository, since)
    select m.image_id, m.digest, i.repository, ? from manifests m join images i on i.id = m.image_id`
  database.prepare(review).run(since.toISOString())
  database.exec('commit')
}
