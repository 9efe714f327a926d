import { chown, open, stat, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { makeDirectoryDurably } from '../storage/durable-files.ts'
import { formatLine } from './audit-lines.ts'
import type { AuditEvent } from './audit-log.ts'

/** Adds to the log from a command, beside a running registry, which alone rotates it. */
export interface AuditAppender extends AsyncDisposable {
  /** On the disk when it resolves. */
  append(event: AuditEvent): Promise<void>
}

/** Made when missing. Rejects when it cannot be written: to be opened before what is to be recorded. */
export async function openAuditAppender(file: string, now: () => Date = () => new Date()): Promise<AuditAppender> {
  const directory = dirname(file)
  await makeDirectoryDurably(directory, 0o700)
  await leaveToOwnerOf(dirname(directory), directory)
  const handle = await open(file, 'a+', 0o600)
  await leaveToOwnerOf(directory, file)
  return {
    async append(event) {
      // One write, which the file system adds at the end as a whole: no line of the registry's is torn by it.
      const beginning = (await isTorn(handle)) ? '\n' : ''
      await handle.appendFile(`${beginning}${formatLine({ at: now(), ...event })}\n`)
      await handle.datasync()
    },
    [Symbol.asyncDispose]: () => handle.close(),
  }
}

/** What a command makes as root would otherwise be closed to the registry, which is another user then. */
async function leaveToOwnerOf(above: string, path: string): Promise<void> {
  if (process.getuid?.() !== 0) return
  const { uid, gid } = await stat(above)
  if ((await stat(path)).uid === 0) await chown(path, uid, gid)
}

async function isTorn(handle: FileHandle): Promise<boolean> {
  const { size } = await handle.stat()
  if (size === 0) return false
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1)
  return buffer.toString() !== '\n'
}
