import type { FileHandle } from 'node:fs/promises'
import type { Answer } from './answer.ts'
import { BufferPool } from './buffer-pool.ts'

/** How far a file can be read. */
export interface Extent {
  readonly available: number
  /** How many bytes can be read, as soon as there are more than `position`. Rejects when there never will be. */
  beyond(position: number): number | Promise<number>
}

export const complete: Extent = { available: Infinity, beyond: () => Infinity }

const pool = new BufferPool(256 * 1024, 64)

/**
 * Writes `length` bytes of the file from `first` on, each when `extent` has it; resolves when the connection has taken the
 * last one. Reads one piece ahead while the one before is written. Rejects when the client is gone or the file is shorter
 * than that.
 */
export async function writeFileBytes(
  answer: Answer,
  file: FileHandle,
  first: number,
  length: number,
  extent: Extent,
): Promise<void> {
  const end = first + length
  const buffers = [pool.take(), pool.take()] as const
  const read = async (buffer: Buffer, position: number) => {
    if (position === end) return undefined
    const readable = Math.min(end, await extent.beyond(position)) - position
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, readable), position)
    if (bytesRead === 0) throw new Error(`the file ends at byte ${position}, expected ${end}`)
    return buffer.subarray(0, bytesRead)
  }
  try {
    let [current, other] = buffers
    let position = first
    let piece = await read(current, position)
    while (piece) {
      position += piece.length
      // Both are waited for, also when one fails: a buffer goes back to the pool only when nothing uses it any more.
      const [written, next] = await Promise.allSettled([write(answer, piece), read(other, position)])
      if (written.status === 'rejected') throw written.reason
      if (next.status === 'rejected') throw next.reason
      piece = next.value
      ;[current, other] = [other, current]
    }
  } finally {
    buffers.forEach((buffer) => pool.give(buffer))
  }
}

/** Resolves when the bytes have left the buffer. */
function write(answer: Answer, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const gone = () => reject(new ClientGone())
    if (answer.destroyed) return gone()
    answer.once('close', gone)
    answer.write(bytes, (error) => {
      answer.off('close', gone)
      if (error) reject(new ClientGone())
      else resolve()
    })
  })
}

/** Nobody reads the answer any more. */
export class ClientGone extends Error {}
