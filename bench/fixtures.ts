import { createCipheriv, createHash, hash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

export interface Fixture {
  readonly file: string
  readonly size: number
  /** `sha256:<hex>` */
  readonly digest: string
}

/** A file of bytes that do not compress, always the same: the key stream of a cipher. */
export async function randomFile(directory: string, name: string, size: number): Promise<Fixture> {
  const file = join(directory, name)
  const cipher = createCipheriv('aes-128-ctr', hash('md5', name, 'buffer'), Buffer.alloc(16))
  const zeros = Buffer.alloc(Math.min(size, 1024 * 1024))
  const pieces = function* () {
    for (let left = size; left > 0; left -= zeros.length) yield zeros.subarray(0, Math.min(left, zeros.length))
  }
  await pipeline(Readable.from(pieces()), cipher, createWriteStream(file))
  const sha256 = createHash('sha256')
  await pipeline(createReadStream(file, { highWaterMark: 1024 * 1024 }), sha256)
  return { file, size, digest: `sha256:${sha256.digest('hex')}` }
}

/** An OCI image manifest over the fixtures; the first is its config. */
export function manifestOf([config, ...layers]: readonly Fixture[]): string {
  const descriptor = (mediaType: string, { digest, size }: Fixture) => ({ mediaType, digest, size })
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: config && descriptor('application/vnd.oci.image.config.v1+json', config),
    layers: layers.map((layer) => descriptor('application/vnd.oci.image.layer.v1.tar+gzip', layer)),
  })
}
