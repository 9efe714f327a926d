import { wrong } from './failures.ts'
import { named, type Question, type Requests } from './requests.ts'
import type { UpstreamBlob } from './upstream.ts'
import type { WireAnswer } from './wire-answer.ts'

export async function headBlob(
  requests: Requests,
  url: URL,
  scope: string,
): Promise<{ readonly size: number | undefined } | undefined> {
  // The upstream has it, and sends us to where it may be fetched: not always may one ask about it there.
  const question = { method: 'HEAD', url, meant: [405], meantElsewhere: [400, 401, 403, 405] } as const
  const answer = await requests.ask(question, scope)
  await answer.discard()
  if (answer.status === 404) return undefined
  return { size: answer.status === 200 ? answer.length : undefined }
}

/** `ask`: as whom. */
export async function getBlob(
  requests: Requests,
  ask: (question: Question) => Promise<WireAnswer>,
  url: URL,
  offset: number,
): Promise<UpstreamBlob | undefined> {
  const question: Question = { method: 'GET', url, headers: offset > 0 ? { range: `bytes=${offset}-` } : {} }
  const answer = await ask(question)
  switch (answer.status) {
    case 200:
      return { offset: 0, size: answer.length, bytes: requests.body(answer) }
    case 206: {
      const range = readContentRange(answer.header('content-range'))
      if (range?.first === offset && range.isToTheEnd && (answer.length ?? range.length) === range.length)
        return { offset, size: range.size, bytes: requests.body(answer, range.length) }
      await answer.discard()
      throw wrong(`${named(question)} is answered with other bytes than those from ${offset} on`)
    }
    case 404:
      await answer.discard()
      return undefined
    default:
      await answer.discard()
      throw wrong(`${named(question)} is answered with ${answer.status}`)
  }
}

interface ContentRange {
  readonly first: number
  readonly length: number
  /** Of the whole; undefined when that is not said. */
  readonly size: number | undefined
  readonly isToTheEnd: boolean
}

/** RFC 9110 §14.4. */
function readContentRange(header: string | undefined): ContentRange | undefined {
  const [, first, last, all] = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/.exec(header?.trim() ?? '') ?? []
  if (first === undefined || last === undefined || all === undefined) return undefined
  const length = Number(last) - Number(first) + 1
  const size = all === '*' ? undefined : Number(all)
  return length < 1
    ? undefined
    : { first: Number(first), length, size, isToTheEnd: size === undefined || Number(last) === size - 1 }
}
