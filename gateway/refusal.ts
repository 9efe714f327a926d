import { STATUS_CODES } from 'node:http'
import { errorBody } from '../wire/error-body.ts'
import type { Answer } from './answer.ts'
import { endAnswer } from './lingering-close.ts'

export interface Refusal {
  readonly status: number
  readonly code: string
  readonly message: string
  /** Name, value, name, value, … */
  readonly headers?: readonly string[]
  /** Default: true. Where it is not, docker of before 1.10 must not take it for that, and goes on to V1. */
  readonly isV2?: boolean
}

/** An answer of the gateway's own, in the form of the registry's errors. */
export function refuse(answer: Answer, refusal: Refusal): void {
  // What is answered here needs nothing more from there.
  if (!answer.isUpstreams) answer.upstream?.request.destroy()
  if (answer.headersSent || answer.destroyed) {
    answer.destroy()
    return
  }
  const body = refusalBody(refusal)
  sendWhole(answer, refusal.status, [...headersOf(refusal), ...(refusal.headers ?? [])], body)
}

/** A whole answer of the gateway's own. */
export function sendWhole(answer: Answer, status: number, headers: readonly string[], body: string): void {
  const bytes = Buffer.from(body)
  const all = [...headers, 'Content-Length', String(bytes.length)]
  if (answer.arrival) all.push('X-Request-Id', answer.arrival.id)
  endAnswer(answer, status, all, bytes)
}

/** For a request that the parser gave up on: there is no answer to it, only its connection. */
export function rawRefusal(refusal: Refusal): string {
  const body = refusalBody(refusal)
  const lines = [...headersOf(refusal), 'Content-Length', String(Buffer.byteLength(body)), 'Connection', 'close']
  const head = lines.reduce((text, part, index) => text + part + (index % 2 === 0 ? ': ' : '\r\n'), '')
  return `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}\r\n${head}\r\n${body}`
}

const errorHeaders = ['Content-Type', 'application/json', 'X-Content-Type-Options', 'nosniff']
const v2Header = ['Docker-Distribution-API-Version', 'registry/2.0']

function headersOf({ isV2 = true }: Refusal): readonly string[] {
  return isV2 ? [...errorHeaders, ...v2Header] : errorHeaders
}

function refusalBody({ code, message }: Refusal): string {
  return `${JSON.stringify(errorBody(code, message))}\n`
}
