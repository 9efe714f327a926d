import { join } from 'node:path'
import type { Logger } from 'pino'
import { openServerCertificates } from '../certs/store.ts'
import { startGateway } from '../gateway/start.ts'
import { blobDirectories } from '../registry/storage/blob-directories.ts'
import type { CaissonConfig } from './config.ts'
import { servesItself } from './config-checks.ts'
import type { Running } from './running.ts'

export async function runGateway(config: CaissonConfig, ticketKeys: Buffer, log: Logger): Promise<Running> {
  const certificates = await openServerCertificates({
    certificates: config.gateway.certificates,
    directory: join(config.dataDirectory, 'certs'),
    log,
  })
  const gateway = await startGateway({
    config: config.gateway,
    certificates,
    sendfileRoots: servesItself(config) ? filesToSend(config) : [],
    ticketKeys,
    log,
  })
  return {
    readiness: { ports: gateway.listening.map(({ port }) => port) },
    setTicketKeys: (keys) => gateway.setTicketKeys(keys),
    reopenLogs: () => gateway.reopenLogs(),
    stop: async () => {
      await gateway.stop()
      await certificates[Symbol.asyncDispose]()
    },
  }
}

/** A blob that is coming in lies among the uploads. */
function filesToSend({ registry }: CaissonConfig): readonly string[] {
  const { blobs, uploads } = blobDirectories(registry.storage.filesystem)
  return [blobs, uploads]
}
