import type { Socket } from 'node:net'

/** What a write meets when the other side has closed. */
const closedByPeer: ReadonlySet<string | undefined> = new Set(['EPIPE', 'ECONNRESET'])

type Written = (error?: Error | null) => void

/**
 * An upstream that answers before it has read the whole body (401, 413) and closes leaves us writing into a closed
 * connection while its answer lies unread in our receive buffer. Node would destroy the socket, and with it the answer.
 * So such a write counts as done, and the reading side says what happened: the answer, or that there is none.
 */
export function readOnAfterWriteErrors(socket: Socket): void {
  const write = socket._write.bind(socket)
  const writev = socket._writev?.bind(socket)
  socket._write = (chunk, encoding, callback) => write(chunk, encoding, forgiving(callback))
  if (writev) socket._writev = (chunks, callback) => writev(chunks, forgiving(callback))
}

function forgiving(callback: Written): Written {
  return (error) => callback(error && closedByPeer.has(codeOf(error)) ? null : error)
}

function codeOf(error: Error): string | undefined {
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
