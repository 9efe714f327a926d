import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import { request as requestOverTls } from 'node:https'
import { parseJson } from '../../domain/json.ts'

/** Follows no redirect: a provider must not be able to send us to another host. Throws {@link ProviderUnreachable}. */
export type ProviderFetch = (url: string, asked?: Asked) => Promise<Response>

export interface Asked {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** The provider does not answer, or nothing that could be understood. Holds no secret. */
export class ProviderUnreachable extends Error {}

/** Key sets of large providers have some 10 KiB. */
const maxAnswerBytes = 1024 * 1024

/** Believes `ca`, a PEM, alone, or without it the authorities that Node.js knows. An answer has `timeoutMs` in all. */
export function openProviderFetch(ca: string | undefined, timeoutMs = 5000): ProviderFetch {
  return async (url, { method = 'GET', headers = {}, body } = {}) => {
    const signal = AbortSignal.timeout(timeoutMs)
    try {
      const options = { method, headers, signal, agent: false }
      const sent = url.startsWith('https:') ? requestOverTls(url, { ...options, ca }) : request(url, options)
      sent.end(body)
      const [message] = (await once(sent, 'response')) as [IncomingMessage]
      return responseOf(message, await readAnswer(message))
    } catch (cause) {
      const reason = signal.aborted ? `no answer within ${timeoutMs} ms` : String(cause)
      throw new ProviderUnreachable(`${method} ${withoutQuery(url)}: ${reason}`, { cause })
    }
  }
}

/** Throws {@link ProviderUnreachable} for what is not the JSON text that was asked for. */
export async function fetchJson(fetch: ProviderFetch, url: string): Promise<unknown> {
  const response = await fetch(url, { headers: { accept: 'application/json' } })
  if (response.status !== 200) throw new ProviderUnreachable(`GET ${url}: answered with ${response.status}`)
  const parsed = parseJson(new Uint8Array(await response.arrayBuffer()))
  if ('problem' in parsed) throw new ProviderUnreachable(`GET ${url}: ${parsed.problem}`)
  return parsed.value
}

async function readAnswer(message: IncomingMessage): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of message as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxAnswerBytes) throw new Error(`the answer is larger than ${maxAnswerBytes} bytes`)
    chunks.push(chunk)
  }
  return new Uint8Array(Buffer.concat(chunks, size))
}

function responseOf({ statusCode, headers }: IncomingMessage, bytes: Uint8Array<ArrayBuffer>): Response {
  const type = headers['content-type']
  // The constructor takes no body, not even an empty one, with a status that allows none.
  return new Response(bytes.length === 0 ? null : bytes, {
    status: statusCode ?? 0,
    headers: type === undefined ? {} : { 'content-type': type },
  })
}

function withoutQuery(url: string): string {
  return url.replace(/\?.*$/s, '')
}
