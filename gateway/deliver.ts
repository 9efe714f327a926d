import type { IncomingMessage } from 'node:http'
import { pipeline } from 'node:stream'
import { pipeline as piped } from 'node:stream/promises'
import type { Logger } from 'pino'
import { sendfileAnswer } from '../wire/sendfile.ts'
import { answerHeaders } from './answer-headers.ts'
import { awaitsBody, type Answer } from './answer.ts'
import { growingFile, type GrowingFile } from './growing-file.ts'
import { discardBody } from './lingering-close.ts'
import type { UrlMapping } from './public-urls.ts'
import { refuse } from './refusal.ts'
import { collect, isSmall } from './small-answers.ts'
import { headersOfTheFile, type Sendfile } from './sendfile.ts'
import { brokenAnswer } from './upstream-refusals.ts'

export interface Delivery {
  readonly sendfile: Sendfile | undefined
  readonly mapping: UrlMapping
  readonly log: Logger
}

/** Brings the upstream's answer to the client: complete, or visibly broken off. Throws before anything was sent. */
export function deliver(incoming: IncomingMessage, answer: Answer, { sendfile, mapping, log }: Delivery): void {
  const status = incoming.statusCode ?? 0
  if (status < 200) throw new Error(`the upstream answered with status ${status}`)
  const place = incoming.headers[sendfileAnswer]
  if (sendfile && typeof place === 'string' && place !== '' && status === 200 && answer.req.method === 'GET') {
    const headers = answerHeaders(incoming, mapping, headersOfTheFile)
    const growing = growingFile(incoming, place)
    if (growing) deliverGrowing(growing, answer, headers, sendfile, log)
    else deliverFile(incoming, place, answer, headers, sendfile, log)
    return
  }
  const headers = answerHeaders(incoming, mapping)
  if (awaitsBody(answer)) {
    deliverEarly(incoming, answer, status, headers).catch((error: unknown) => {
      log.warn({ err: error, path: answer.req.url }, 'an answer during an upload broke off')
      answer.destroy()
    })
    return
  }
  if (isSmall(incoming, answer.req.method)) {
    deliverWhole(incoming, answer, status, headers, log)
    return
  }
  answer.writeHead(status, headers)
  // An upstream that breaks off ends in answer.destroy(): the client must not take what came for the whole.
  pipeline(incoming, answer, (error) => {
    if (error?.code === 'ECONNRESET') log.warn({ path: answer.req.url }, 'the upstream broke off within its answer')
  })
}

function deliverFile(
  incoming: IncomingMessage,
  place: string,
  answer: Answer,
  headers: string[],
  sendfile: Sendfile,
  log: Logger,
): void {
  incoming.resume()
  sendfile.complete(answer, place, headers).catch((error: unknown) => {
    log.error({ err: error, file: place }, 'a file could not be sent')
    refuse(answer, { status: 502, code: 'UNAVAILABLE', message: 'the content cannot be read' })
  })
}

function deliverGrowing(
  growing: GrowingFile,
  answer: Answer,
  headers: string[],
  sendfile: Sendfile,
  log: Logger,
): void {
  sendfile.growing(answer, growing, headers).catch((error: unknown) => {
    log.warn({ err: error, file: growing.path }, 'a file that was still being written could not be sent')
    if (!answer.writableEnded) refuse(answer, brokenAnswer)
  })
}

function deliverWhole(incoming: IncomingMessage, answer: Answer, status: number, headers: string[], log: Logger): void {
  collect(incoming, (error, bytes) => {
    if (answer.headersSent || answer.destroyed) return
    if (error) {
      log.warn({ err: error, path: answer.req.url }, 'the upstream broke off within its answer')
      refuse(answer, brokenAnswer)
      return
    }
    answer.writeHead(status, headers)
    answer.bodyBytes = bytes.length
    answer.end(bytes)
  })
}

/** The upstream wants no more of the body: its connection is given up, the client's is read on for a while. */
async function deliverEarly(
  incoming: IncomingMessage,
  answer: Answer,
  status: number,
  headers: string[],
): Promise<void> {
  const discarded = discardBody(answer.req)
  answer.writeHead(status, [...headers, 'Connection', 'close'])
  await piped(incoming, answer, { end: false })
  answer.upstream?.request.destroy()
  await discarded
  answer.end()
}
