import { join } from 'node:path'
import { lockPlaces } from '../../../registry/storage/process-lock.ts'

// A process that serves a data directory until it is ended.
const dataDirectory = process.argv[2] ?? ''
await lockPlaces({ dataDirectory, database: join(dataDirectory, 'caisson.db'), blobs: join(dataDirectory, 'blobs') })
console.log('locked')
setInterval(() => {}, 3_600_000)
