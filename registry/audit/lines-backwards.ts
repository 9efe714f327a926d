import type { FileHandle } from 'node:fs/promises'

const newline = 0x0a
/** The longest event is a third of it. What is longer was torn, or is no log. */
const maxLineBytes = 256 * 1024

/** The lines of a file, the last one first, without their ends. Longer ones than any event are left out. Holds one piece and one line. */
export async function* linesBackwards(file: FileHandle, pieceBytes = 64 * 1024): AsyncGenerator<string> {
  const line = new LineEnd()
  for (let end = (await file.stat()).size; end > 0;) {
    const start = Math.max(0, end - pieceBytes)
    const piece = await readPiece(file, start, end - start)
    let lineEnd = piece.length
    for (let at = piece.lastIndexOf(newline); at !== -1; at = at === 0 ? -1 : piece.lastIndexOf(newline, at - 1)) {
      line.precede(piece.subarray(at + 1, lineEnd))
      yield* line.take()
      lineEnd = at
    }
    line.precede(piece.subarray(0, lineEnd))
    end = start
  }
  yield* line.take()
}

/** Shorter when the file has been cut meanwhile. */
async function readPiece(file: FileHandle, start: number, length: number): Promise<Buffer> {
  const piece = Buffer.allocUnsafe(length)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await file.read(piece, filled, length - filled, start + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return piece.subarray(0, filled)
}

/** The end of a line whose beginning is yet to be read. */
class LineEnd {
  #parts: Buffer[] = []
  #length = 0

  precede(part: Buffer): void {
    this.#length += part.length
    if (this.#length > maxLineBytes) this.#parts = []
    else if (part.length > 0) this.#parts.unshift(part)
  }

  /** Nothing when it is empty or too long. */
  *take(): Generator<string> {
    const [parts, length] = [this.#parts, this.#length]
    this.#parts = []
    this.#length = 0
    if (length > 0 && length <= maxLineBytes) yield Buffer.concat(parts).toString()
  }
}
