import pino from 'pino'
import { openAuditLog } from '../../../registry/audit/file-audit-log.ts'

// Records events with growing numbers until it is killed, and says which of them are in the file.
const log = await openAuditLog({
  file: process.argv[2] ?? '',
  rotation: { atBytes: 50_000, keep: 1000 },
  log: pino({ enabled: false }),
})
for (let number = 0; ; number++) {
  log.record({ type: 'pushed', by: String(number) })
  if ((number + 1) % 100 !== 0) continue
  await log.query({ limit: 1 })
  console.log(`recorded ${number + 1}`)
}
