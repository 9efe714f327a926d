import { once } from 'node:events'
import { mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import pino, { type Logger } from 'pino'
import { combinedLine, jsonLine } from './access-log-lines.ts'
import type { Answer } from './answer.ts'
import type { GatewayConfig } from './config.ts'

/** One line per request, written when its answer is given or broken off. */
export interface AccessLog {
  write(answer: Answer): void
  /** After the file was moved away. */
  reopen(): void
  /** Resolves when everything is written. */
  close(): Promise<void>
}

const bufferedBytes = 4096
const flushMs = 1000

/** Rejects when the file cannot be opened. */
export async function openAccessLog({ file, format }: GatewayConfig['accessLog'], log: Logger): Promise<AccessLog> {
  if (file === 'off') return { write() {}, reopen() {}, async close() {} }
  if (file !== 'stdout') await assertWritable(file)
  const destination = pino.destination({
    dest: file === 'stdout' ? 1 : file,
    sync: false,
    minLength: bufferedBytes,
    periodicFlush: flushMs,
  })
  await once(destination, 'ready')
  // A full disk costs log lines, not the gateway.
  destination.on('error', (error) => log.error({ err: error, file }, 'the access log cannot be written'))
  const line = format === 'json' ? jsonLine : combinedLine
  return {
    write: (answer) => destination.write(line(answer)),
    reopen: () => {
      if (file !== 'stdout') destination.reopen()
    },
    async close() {
      destination.end()
      await once(destination, 'close')
    },
  }
}

async function assertWritable(file: string): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true })
    await (await open(file, 'a')).close()
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(`the access log cannot be written: ${reason}; change gateway.accessLog.file`, { cause: error })
  }
}
