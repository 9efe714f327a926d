import { once } from 'node:events'
import { Agent, request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { z } from 'zod'

/** How a request ended, also when its connection broke off. */
export interface PullOutcome {
  /** Undefined when the connection broke before the head. */
  readonly status: number | undefined
  readonly headers: IncomingHttpHeaders
  /** What came of it. */
  readonly body: Buffer
  readonly isWhole: boolean
}

/** Not a limit that anything is measured by: what hangs is to fail its test, and not to stop the others. */
const hangsMs = 45_000

const errorForm = z.object({ errors: z.tuple([z.object({ code: z.string() })]) })

/** Never rejects for what the server does, but when nothing ends it. */
export async function pullOutcome(
  socketPath: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<PullOutcome> {
  const signal = AbortSignal.timeout(hangsMs)
  const agent = new Agent({ keepAlive: false })
  const sent = request({
    socketPath,
    path,
    agent,
    signal,
    headers: { host: 'registry.test', accept: '*/*', ...headers },
  })
  sent.end()
  const chunks: Buffer[] = []
  let message: IncomingMessage | undefined
  let isWhole = false
  try {
    ;[message] = (await once(sent, 'response')) as [IncomingMessage]
    for await (const chunk of message) chunks.push(chunk as Buffer)
    isWhole = message.complete
  } catch (error) {
    if (signal.aborted) throw new Error(`${path} hangs`, { cause: error })
  }
  return { status: message?.statusCode, headers: message?.headers ?? {}, body: Buffer.concat(chunks), isWhole }
}

/** In a word or two: `200 HIT`, `404 MANIFEST_UNKNOWN`, `200 broken`. */
export function wordsFor({ status, headers, body, isWhole }: PullOutcome): string {
  if (!isWhole) return `${status ?? 'no answer,'} broken`
  if (status === 200) return `200 ${String(headers['x-cache'] ?? '')}`.trim()
  const told = errorForm.safeParse(body.length > 0 ? JSON.parse(body.toString()) : undefined)
  return `${status} ${told.data?.errors[0].code ?? 'without a code'}`
}
