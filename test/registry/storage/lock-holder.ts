import { lockDirectory } from '../../../registry/storage/process-lock.ts'

// A process that serves a data directory until it is ended.
await lockDirectory(process.argv[2] ?? '')
console.log('locked')
setInterval(() => {}, 3_600_000)
