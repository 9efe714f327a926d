import { hash, type KeyObject } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { digestOf, type Digest } from '../../domain/digest.ts'
import { RegistryError } from '../../domain/errors.ts'
import type { Manifest } from '../../domain/manifest.ts'
import type { ImageName, Tag } from '../../domain/names.ts'
import { entryForOldClients, imageParts, isIndex } from '../../domain/schema1/convertible.ts'
import { schema1FromConfig } from '../../domain/schema1/from-config.ts'
import { signedSchema1 } from '../../domain/schema1/media-types.ts'
import { signSchema1 } from '../../domain/schema1/signatures.ts'
import type { Secrets } from '../../storage/access-store.ts'
import type { FoundManifest, Repository } from '../repository.ts'
import { UpstreamFailure } from '../upstream/upstream.ts'
import { schema1Key } from './signing-key.ts'

/** Those of honest images have some ten thousand bytes; they come into memory, and once more as text. */
const maxConfigBytes = 4 * 1024 * 1024

/** What is to be converted, and where it is. */
export interface Convertee {
  readonly repository: Pick<Repository, 'manifest' | 'blob'>
  readonly image: ImageName
  /** That the tag is on: an image, or an index with one. */
  readonly manifest: FoundManifest
  /** What it says that it is. */
  readonly as: { readonly name: string; readonly tag: Tag }
}

export type Conversion = FoundManifest | { readonly problem: string; readonly cause?: unknown }

/** Images of today for clients that know of schema 1 alone. The same image has the same digest each time, by whatever time it is signed. */
export interface Schema1Conversion {
  convert(convertee: Convertee): Promise<Conversion>
}

export function openSchema1Conversion(store: Secrets, now: () => Date = () => new Date()): Schema1Conversion {
  const key = schema1Key(store)
  return {
    async convert(convertee) {
      try {
        return await convert(convertee, key, now)
      } catch (cause) {
        // What it is made of may be elsewhere, or not for the one who asks.
        if (!(cause instanceof RegistryError) && !(cause instanceof UpstreamFailure)) throw cause
        return { problem: cause.message, cause }
      }
    },
  }
}

async function convert(
  { repository, image, manifest, as }: Convertee,
  key: () => Promise<KeyObject>,
  now: () => Date,
): Promise<Conversion> {
  const source = await imageIn({ repository, image }, manifest)
  if ('problem' in source) return source
  const parts = imageParts(source)
  if ('problem' in parts) return parts
  const config = await readConfig({ repository, image }, parts.config)
  if ('problem' in config) return config
  const converted = schema1FromConfig({ ...as, config: config.bytes, layers: parts.layers })
  if ('problem' in converted) return converted
  const { payload } = converted
  return {
    digest: digestOf('sha256', hash('sha256', payload)),
    mediaType: signedSchema1,
    bytes: signSchema1(payload, await key(), now()),
    cache: manifest.cache,
  }
}

type Place = Pick<Convertee, 'repository' | 'image'>
type Problem = { readonly problem: string }

async function imageIn({ repository, image }: Place, manifest: Manifest): Promise<Manifest | Problem> {
  if (!isIndex(manifest)) return manifest
  const entry = entryForOldClients(manifest)
  if (entry === undefined) return { problem: 'it has no image for linux' }
  const found = await repository.manifest(image, { digest: entry })
  return found ?? { problem: `${entry}, its image for linux, is not here` }
}

async function readConfig({ repository, image }: Place, digest: Digest): Promise<{ bytes: Uint8Array } | Problem> {
  const blob = await repository.blob(image, digest)
  if (!blob) return { problem: 'its configuration is not here' }
  if (blob.size > maxConfigBytes) return { problem: `its configuration has ${blob.size} bytes` }
  return { bytes: await buffer(await blob.open(undefined)) }
}
