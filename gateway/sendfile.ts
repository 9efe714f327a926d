import type { Stats } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { selectBytes } from '../wire/byte-range.ts'
import type { Answer } from './answer.ts'
import { ClientGone, complete, writeFileBytes, type Extent } from './file-bytes.ts'
import { followGrowth } from './follow-growth.ts'
import type { GrowingFile } from './growing-file.ts'
import { GuardedFiles } from './guarded-files.ts'
import { refuse } from './refusal.ts'

/** Answers with the bytes of files; `headers` are the upstream's, as name, value, …. */
export interface Sendfile {
  /** The file at an absolute path. */
  complete(answer: Answer, path: string, headers: string[]): Promise<void>
  /** Rejects when the file will not be had; what is sent of it is never all of it then. */
  growing(answer: Answer, growing: GrowingFile, headers: string[]): Promise<void>
}

/** Headers of the upstream's body that do not hold for the file's. */
export const headersOfTheFile: ReadonlySet<string> = new Set(['content-length', 'content-range', 'accept-ranges'])

/** Sends files below `roots` and no others, wherever symbolic links lead. */
export function createSendfile(roots: readonly string[]): Sendfile {
  const files = new GuardedFiles(roots)
  return {
    async complete(answer, path, headers) {
      await using file = await files.open(path)
      if (!file) {
        refuse(answer, { status: 404, code: 'BLOB_UNKNOWN', message: 'the content was deleted meanwhile' })
        return
      }
      const { size, mtimeMs } = await statOf(file)
      const etag = etagOf(headers) ?? `"${mtimeMs.toString(16)}-${size.toString(16)}"`
      if (etagOf(headers) === undefined) headers.push('ETag', etag)
      try {
        await send(answer, headers, { file, size, etag, extent: complete })
      } catch (error) {
        if (!(error instanceof ClientGone)) throw error
      }
    },
    async growing(answer, growing, headers) {
      const { path, finalPath, size } = growing
      await followGrowth(answer, growing, async (extent) => {
        await using file = (await files.open(path)) ?? (await files.open(finalPath))
        if (!file) throw new Error(`there is neither ${path} nor ${finalPath}`)
        await statOf(file)
        const etag = etagOf(headers)
        if (etag === undefined) throw new Error('a growing file has no ETag')
        await send(answer, headers, { file, size, etag, extent })
      })
    },
  }
}

interface Content {
  readonly file: FileHandle
  readonly size: number
  readonly etag: string
  readonly extent: Extent
}

async function send(answer: Answer, headers: string[], content: Content): Promise<void> {
  const { size, etag } = content
  headers.push('Accept-Ranges', 'bytes')
  const selection = selectBytes('GET', answer.req.headers, etag, size)
  switch (selection.status) {
    case 200:
      return await sendPart(answer, 200, headers, content, 0, size)
    case 206: {
      const { first, last } = selection.range
      headers.push('Content-Range', `bytes ${first}-${last}/${size}`)
      return await sendPart(answer, 206, headers, content, first, last - first + 1)
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
  status: number,
  headers: string[],
  { file, extent }: Content,
  first: number,
  length: number,
): Promise<void> {
  // The head of an answer without bytes is all of it.
  if (length === 0) await extent.beyond(-1)
  answer.writeHead(status, [...headers, 'Content-Length', String(length)])
  if (extent.available <= first) answer.flushHeaders()
  await writeFileBytes(answer, file, first, length, extent)
  answer.end()
}

async function statOf(file: FileHandle): Promise<Stats> {
  const stat = await file.stat()
  if (!stat.isFile()) throw new Error('only regular files are sent')
  return stat
}

function etagOf(headers: readonly string[]): string | undefined {
  const at = headers.findIndex((name, index) => index % 2 === 0 && name.toLowerCase() === 'etag')
  return at === -1 ? undefined : headers[at + 1]
}
