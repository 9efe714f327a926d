import type { IncomingMessage } from 'node:http'
import { sendfileGrowing, sendfileLength } from '../wire/sendfile.ts'

/** A file that is still being written, as the upstream tells of it. */
export interface GrowingFile {
  readonly path: string
  /** Where it is moved to. */
  readonly finalPath: string
  readonly size: number
  readonly progress: IncomingMessage
}

/** Undefined when the file is complete. Throws for an answer that makes no sense. */
export function growingFile(incoming: IncomingMessage, finalPath: string): GrowingFile | undefined {
  const path = incoming.headers[sendfileGrowing]
  if (path === undefined) return undefined
  const length = incoming.headers[sendfileLength]
  if (typeof path !== 'string' || typeof length !== 'string' || !/^\d{1,15}$/.test(length))
    throw new Error('the upstream named a growing file without its place or length')
  return { path, finalPath, size: Number(length), progress: incoming }
}
