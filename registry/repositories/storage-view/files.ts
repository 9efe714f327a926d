import { hash } from 'node:crypto'
import { algorithmOf, encodedOf } from '../../domain/digest.ts'
import type { Property } from '../../domain/property.ts'
import type { HeldBlob } from '../../storage/stored-items.ts'
import { blobOf } from '../kept-blobs.ts'
import { property } from './property-list.ts'
import type { StoredFile } from './stored-item.ts'
import type { ViewStorage } from './viewed-repository.ts'

interface More {
  readonly created: Date
  /** Besides the checksum. */
  readonly properties?: () => Promise<readonly Property[]>
}

export function bytesFile(bytes: Uint8Array, { created, properties }: More): StoredFile {
  const sha256 = hash('sha256', bytes, 'hex')
  return {
    kind: 'file',
    size: bytes.length,
    sha256,
    created,
    content: bytes,
    properties: async () => [...((await properties?.()) ?? []), property('sha256', sha256)],
  }
}

export function jsonFile(value: unknown, more: More): StoredFile {
  return bytesFile(Buffer.from(JSON.stringify(value)), more)
}

export function blobFile({ blobs }: ViewStorage, { digest, size }: HeldBlob, created: Date): StoredFile {
  const sha256 = algorithmOf(digest) === 'sha256' ? encodedOf(digest) : undefined
  return {
    kind: 'file',
    size,
    sha256,
    created,
    content: blobOf(blobs, digest, size),
    properties: async () => (sha256 === undefined ? [] : [property('sha256', sha256)]),
  }
}
