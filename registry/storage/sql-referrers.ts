import type { Digest } from '../domain/digest.ts'
import type { ImageName, RepositoryKey } from '../domain/names.ts'
import type { MetadataDatabase } from './metadata-schema.ts'
import type { Images } from './metadata-store.ts'
import { parameter, prepare } from './prepared-query.ts'

/** Manifests by their subject. */
export function sqlReferrers(db: MetadataDatabase): Pick<Images, 'listReferrers'> {
  const ofSubject = db
    .selectFrom('images')
    .innerJoin('manifests', 'manifests.image_id', 'images.id')
    .where('images.repository', '=', parameter<RepositoryKey>('repository'))
    .where('images.name', '=', parameter<ImageName>('image'))
    .where('manifests.subject', '=', parameter<Digest>('subject'))
    .where('manifests.digest', '>', parameter<Digest>('after'))
    .orderBy('manifests.digest')
    .limit(parameter<number>('limit'))
    .select(['manifests.digest', 'manifests.media_type', 'manifests.artifact_type', 'manifests.bytes'])
  const any = prepare(ofSubject)
  const ofType = prepare(ofSubject.where('manifests.artifact_type', '=', parameter<string>('artifactType')))

  return {
    listReferrers: async (of, { subject, artifactType, after = '', limit }) => {
      const values = { ...of, subject, after, limit: limit + 1, artifactType }
      const rows = await (artifactType === undefined ? any : ofType).all(db, values)
      const items = rows.slice(0, limit).map(({ digest, media_type, artifact_type, bytes }) => ({
        digest,
        mediaType: media_type,
        artifactType: artifact_type ?? undefined,
        bytes,
      }))
      return { items, next: rows.length > limit ? items.at(-1)?.digest : undefined }
    },
  }
}
