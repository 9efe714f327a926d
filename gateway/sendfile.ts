import type { FileHandle } from 'node:fs/promises'
import { selectBytes } from '../wire/byte-range.ts'
import type { Answer } from './answer.ts'
import { ClientGone, writeFileBytes } from './file-bytes.ts'
import { GuardedFiles } from './guarded-files.ts'
import { refuse } from './refusal.ts'

/** Answers with the bytes of the file at an absolute path; `headers` are the upstream's, as name, value, …. */
export type Sendfile = (answer: Answer, path: string, headers: string[]) => Promise<void>

/** Headers of the upstream's empty body that do not hold for the file's. */
export const headersOfTheFile: ReadonlySet<string> = new Set(['content-length', 'content-range', 'accept-ranges'])

/** Sends files below `root` and no others, wherever symbolic links lead. */
export function createSendfile(root: string): Sendfile {
  const files = new GuardedFiles(root)
  return async (answer, path, headers) => {
    const file = await files.open(path)
    if (!file) {
      refuse(answer, { status: 404, code: 'BLOB_UNKNOWN', message: 'the content was deleted meanwhile' })
      return
    }
    try {
      await sendOpen(answer, file, headers)
    } catch (error) {
      if (!(error instanceof ClientGone)) throw error
    } finally {
      await file.close()
    }
  }
}

async function sendOpen(answer: Answer, file: FileHandle, headers: string[]): Promise<void> {
  const stat = await file.stat()
  if (!stat.isFile()) throw new Error('only regular files are sent')
  const { size } = stat
  const etag = etagOf(headers) ?? `"${stat.mtimeMs.toString(16)}-${size.toString(16)}"`
  if (etagOf(headers) === undefined) headers.push('ETag', etag)
  headers.push('Accept-Ranges', 'bytes')

  const selection = selectBytes('GET', answer.req.headers, etag, size)
  switch (selection.status) {
    case 200:
      return await sendPart(answer, file, 200, headers, 0, size)
    case 206: {
      const { first, last } = selection.range
      headers.push('Content-Range', `bytes ${first}-${last}/${size}`)
      return await sendPart(answer, file, 206, headers, first, last - first + 1)
    }
    case 304:
      answer.writeHead(304, headers).end()
      return
    case 412:
      return refuse(answer, { status: 412, code: 'PRECONDITION_FAILED', message: `the entity tag is ${etag}` })
    case 416:
      return refuse(answer, {
        status: 416,
        code: 'RANGE_INVALID',
        message: `the range lies outside of the ${size} bytes there are`,
        headers: ['Content-Range', `bytes */${size}`, 'Accept-Ranges', 'bytes'],
      })
  }
}

async function sendPart(
  answer: Answer,
  file: FileHandle,
  status: number,
  headers: string[],
  first: number,
  length: number,
): Promise<void> {
  answer.writeHead(status, [...headers, 'Content-Length', String(length)])
  await writeFileBytes(answer, file, first, length)
  answer.end()
}

function etagOf(headers: readonly string[]): string | undefined {
  const at = headers.findIndex((name, index) => index % 2 === 0 && name.toLowerCase() === 'etag')
  return at === -1 ? undefined : headers[at + 1]
}
