import { once } from 'node:events'
import { request, type Agent } from 'node:https'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { buffer } from 'node:stream/consumers'

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  text(): string
}

export interface Question {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
  /** `user:password` */
  readonly login?: string
  readonly agent?: Agent
}

/** Asks over TLS that is verified against `authority` (PEM); names below localhost go to the loopback address. */
export async function ask(authority: string, url: string, question: Question = {}): Promise<Answer> {
  const sent = request(url, {
    method: question.method ?? 'GET',
    headers: { ...question.headers },
    ca: authority,
    lookup: (_name, _options, found) => found(null, [{ address: '127.0.0.1', family: 4 }]),
    ...(question.login === undefined ? {} : { auth: question.login }),
    ...(question.agent && { agent: question.agent }),
  })
  sent.end(question.body)
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  const body = await buffer(answer)
  return { status: answer.statusCode ?? 0, headers: answer.headers, body, text: () => body.toString() }
}
