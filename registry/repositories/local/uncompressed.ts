import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { constants, createGunzip, createZstdDecompress } from 'node:zlib'
import { unreadableTar } from '../../domain/tar-fields.ts'
import { ByteSource } from './byte-source.ts'

const chunkSize = 64 * 1024
/** 8 MiB: what zstd needs up to level 19, and what a stranger may make us set aside. */
const zstdWindowLog = 23

/** The bytes of a layer without their compression by gzip or zstd, if they have one of these. Throws BAD_REQUEST when it is broken. */
export async function* uncompressed(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  await using source = new ByteSource(bytes)
  const magic = await source.take(4)
  const through = decompressorFor(magic)
  if (through) yield* decompressed(startingWith(magic, source), through)
  else yield* startingWith(magic, source)
}

function decompressorFor(magic: Buffer): Duplex | undefined {
  const text = magic.toString('hex')
  if (text.startsWith('1f8b')) return createGunzip({ chunkSize })
  if (text === '28b52ffd')
    return createZstdDecompress({ chunkSize, params: { [constants.ZSTD_d_windowLogMax]: zstdWindowLog } })
  return undefined
}

async function* startingWith(first: Buffer, source: ByteSource): AsyncGenerator<Uint8Array> {
  if (first.length > 0) yield first
  yield* source.all()
}

async function* decompressed(bytes: AsyncIterable<Uint8Array>, through: Duplex): AsyncGenerator<Uint8Array> {
  const flow = pipeline(bytes, through)
  // Whoever reads `through` is told; and who has read enough does not care.
  flow.catch(() => {})
  try {
    yield* through as AsyncIterable<Uint8Array>
  } catch (error) {
    throw isBroken(error) ? unreadableTar(`its compression is broken: ${error.message}`, error) : error
  } finally {
    through.destroy()
  }
}

/** As against a disk that cannot be read. */
function isBroken(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && /^Z(?:STD)?_/.test(String(error.code))
}
