import { PassThrough } from 'node:stream'
import pino from 'pino'
import { BlobFetches } from '../../../../registry/repositories/remote/blob-fetches.ts'
import { openFilesystemBlobs } from '../../../../registry/storage/filesystem-blobs.ts'
import { openSqliteMetadata } from '../../../../registry/storage/sqlite-metadata.ts'
import { patternOf, sizeOfPattern } from './pattern.ts'
import { sha256 } from '../../../contracts/blob-store.ts'
import { ref } from '../../../contracts/metadata-store.ts'

/** Fetches a part of the pattern into the directory that it is given, says so, and goes no further. */
const [directory = '.', part = '0'] = process.argv.slice(2)
const blobs = await openFilesystemBlobs({ blobs: `${directory}/blobs`, uploads: `${directory}/uploads` })
const metadata = await openSqliteMetadata(`${directory}/caisson.db`)
const bytes = new PassThrough()
const content = patternOf(sizeOfPattern)
const handle = await new BlobFetches({ blobs, metadata }, pino({ enabled: false })).fetch(
  ref('docker-hub', 'app'),
  sha256(content),
  { open: async () => ({ offset: 0, size: content.length, bytes }) },
)
bytes.write(content.subarray(0, Number(part)))
for await (const size of handle?.growth?.available() ?? []) if (size === Number(part)) break
process.stdout.write('waiting')
setInterval(() => {}, 60_000) // until it is killed
