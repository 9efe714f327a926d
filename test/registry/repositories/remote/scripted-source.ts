import assert from 'node:assert/strict'
import { PassThrough, Readable } from 'node:stream'
import type { BlobSource } from '../../../../registry/repositories/remote/blob-fetch.ts'
import { UpstreamFailure, type UpstreamBlob } from '../../../../registry/repositories/upstream/upstream.ts'

type Answer = (offset: number) => UpstreamBlob | undefined | Promise<UpstreamBlob | undefined>

/** An upstream that answers as it is told, once each; `asked` is the offsets that it was asked for. */
export function scriptedSource(...answers: readonly Answer[]): BlobSource & { readonly asked: readonly number[] } {
  const asked: number[] = []
  return {
    asked,
    open: async (offset) => {
      const answer = answers[asked.push(offset) - 1]
      assert.ok(answer, `asked once more, for what comes after ${offset}`)
      return answer(offset)
    },
  }
}

export function lost(): UpstreamFailure {
  return new UpstreamFailure('unreachable', 'connection lost')
}

interface Shape {
  /** How many bytes of the blob come before the connection breaks. */
  readonly until?: number
  /** Announced. */
  readonly size?: number | undefined
}

/** What an upstream that knows ranges answers with. */
export function ranged(content: Buffer, shape: Shape = {}): Answer {
  return (offset) => ({ offset, size: sizeOf(content, shape), bytes: partOf(content, offset, shape) })
}

/** What one answers with that knows none. */
export function fromStart(content: Buffer, shape: Shape = {}): Answer {
  return () => ({ offset: 0, size: sizeOf(content, shape), bytes: partOf(content, 0, shape) })
}

/** One whose bytes the test writes. */
export function byHand(size: number | undefined): { readonly bytes: PassThrough; readonly answer: Answer } {
  const bytes = new PassThrough()
  return { bytes, answer: (offset) => ({ offset, size, bytes }) }
}

export function unreachable(): never {
  throw lost()
}

function sizeOf(content: Buffer, shape: Shape): number | undefined {
  return 'size' in shape ? shape.size : content.length
}

function partOf(content: Buffer, offset: number, { until }: Shape): Readable {
  return Readable.from(
    (function* () {
      for (let at = offset; at < (until ?? content.length); at += 65_536)
        yield content.subarray(at, Math.min(at + 65_536, until ?? content.length))
      if (until !== undefined) throw lost()
    })(),
    { objectMode: false },
  )
}
