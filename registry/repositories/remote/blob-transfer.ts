import { setTimeout } from 'node:timers/promises'
import { UpstreamFailure, type UpstreamBlob } from '../upstream/upstream.ts'
import type { FetchedUpload } from './fetched-upload.ts'
import { restOfBytes } from './rest-of-bytes.ts'

export interface Transfer {
  /** What is fetched and from where, for messages. */
  readonly what: string
  /** Of the whole blob; undefined when nobody knows it: then it ends where the stream does. */
  readonly size: number | undefined
  /** See `Upstream.blob`; rejects when the fetch is stopped. */
  open(offset: number): Promise<UpstreamBlob | undefined>
  /** Called with how many bytes there are. */
  received(total: number): void
  /** Called before a pause, after which it goes on. */
  interrupted(error: UpstreamFailure, received: number): void
  /** Before each attempt to go on; when that many in a row have brought next to nothing, it is given up. */
  readonly pausesMs: readonly number[]
  readonly now: () => Date
  readonly signal: AbortSignal
}

/** What comes more slowly would come for ever, since each attempt brings a little. */
const slowestBytesPerSecond = 1024
/** An attempt that was cut short is none of these. */
const shortSeconds = 0.5

/**
 * Takes all of the blob that the upload does not have yet; `first` is what the upstream has answered already. Where it breaks off it goes on,
 * also with an upstream that knows no ranges. Rejects with UpstreamFailure, whose kind is `wrong` when nothing can come of these bytes.
 */
export async function receiveAll(upload: FetchedUpload, first: UpstreamBlob, transfer: Transfer): Promise<void> {
  let answer: UpstreamBlob | undefined = first
  let idle = 0
  for (;;) {
    const [before, began] = [upload.size, transfer.now()]
    try {
      await receive(upload, answer ?? (await reopen(upload, transfer)), transfer)
      return
    } catch (error) {
      const seconds = (transfer.now().getTime() - began.getTime()) / 1000
      const hasMoved = upload.size - before >= Math.max(1, slowestBytesPerSecond * (seconds - shortSeconds))
      const pauseMs = hasMoved ? transfer.pausesMs[0] : transfer.pausesMs[idle]
      idle = hasMoved ? 1 : idle + 1
      if (pauseMs === undefined || !mayPass(error, pauseMs)) throw error
      transfer.interrupted(error, upload.size)
      await pause(pauseMs, transfer.signal)
      answer = undefined
    }
  }
}

/** Throws unless the answer is one to this question. */
export function checkAnswer(
  answer: UpstreamBlob,
  offset: number,
  { what, size }: Pick<Transfer, 'what' | 'size'>,
): void {
  if (answer.offset !== 0 && answer.offset !== offset)
    throw wrong(`${what}: asked for what comes after ${offset} bytes, got what comes after ${answer.offset}`)
  if (answer.size !== undefined && size !== undefined && answer.size !== size)
    throw wrong(`${what}: expected ${size} bytes, the upstream has ${answer.size}`)
}

export function wrong(message: string, cause?: unknown): UpstreamFailure {
  return new UpstreamFailure('wrong', message, { cause })
}

/** An error of a stream that nobody reads yet is thrown to whoever reads it, and must not end the process before. */
export function guarded(answer: UpstreamBlob | undefined): UpstreamBlob | undefined {
  answer?.bytes.on('error', () => {})
  return answer
}

async function reopen(upload: FetchedUpload, transfer: Transfer): Promise<UpstreamBlob> {
  const answer = await transfer.open(upload.size)
  if (answer) return answer
  throw wrong(`${transfer.what}: the upstream has it no longer, after ${upload.size} bytes`)
}

async function receive(upload: FetchedUpload, answer: UpstreamBlob, transfer: Transfer): Promise<void> {
  const { what, size, signal } = transfer
  const stop = (): void => void answer.bytes.destroy(signal.reason)
  signal.addEventListener('abort', stop)
  try {
    signal.throwIfAborted()
    checkAnswer(answer, upload.size, transfer)
    const rest = restOfBytes(answer.bytes, {
      skip: upload.size - answer.offset,
      most: size === undefined ? Infinity : size - upload.size,
      tooMuch: () => wrong(`${what}: the upstream sent more than the ${size} bytes that it has`),
    })
    await upload.append(rest, (total) => transfer.received(total))
    if (size === undefined || upload.size === size) return
    throw new UpstreamFailure('unreachable', `${what}: broke off after ${upload.size} of ${size} bytes`)
  } finally {
    signal.removeEventListener('abort', stop)
    answer.bytes.destroy()
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await setTimeout(ms, undefined, { signal })
  } catch {
    throw signal.reason // which alone ends it early
  }
}

/** Whether it is worth another attempt after the pause. */
function mayPass(error: unknown, pauseMs: number): error is UpstreamFailure {
  if (!(error instanceof UpstreamFailure)) return false
  if (error.kind === 'limited') return (error.retryAfterSeconds ?? 0) * 1000 <= pauseMs
  return error.kind === 'unreachable'
}
