import type { Exchange, Send } from './connection.ts'
import { IsolatedFailure, withoutQuery, wrong } from './failures.ts'
import { UpstreamFailure } from './upstream.ts'
import type { WireAnswer } from './wire-answer.ts'

const maxRedirects = 5
const redirecting: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/**
 * Goes where the answers send us. What authenticates us is not shown
 * again once they lead to another host, and nothing secure becomes insecure.
 */
export async function followRedirects(send: Send, first: Exchange): Promise<WireAnswer> {
  const been = new Set<string>()
  let exchange = first
  for (;;) {
    const answer = await sendOn(send, exchange, first.url)
    if (!redirecting.has(answer.status)) return answer
    await answer.discard()
    been.add(exchange.url.href)
    const url = nextUrl(exchange.url, answer.header('location'))
    const what = `${first.method} ${withoutQuery(first.url)}`
    if (been.has(url.href)) throw wrong(`${what}: the redirects lead back to ${withoutQuery(url)}`)
    if (been.size > maxRedirects) throw wrong(`${what}: more than ${maxRedirects} redirects`)
    exchange = {
      ...exchange,
      url,
      headers: isSameHost(url, first.url) ? exchange.headers : anonymous(exchange.headers),
    }
  }
}

/** Where the upstream sends us to may be down while itself is not. */
async function sendOn(send: Send, exchange: Exchange, first: URL): Promise<WireAnswer> {
  try {
    return await send(exchange)
  } catch (error) {
    if (!(error instanceof UpstreamFailure) || error.kind !== 'unreachable' || isSameHost(exchange.url, first))
      throw error
    throw new IsolatedFailure('unreachable', error.message, { reason: error.reason, cause: error })
  }
}

/** Host and port. */
export function isSameHost(one: URL, other: URL): boolean {
  return one.hostname === other.hostname && portOf(one) === portOf(other)
}

function nextUrl(from: URL, location: string | undefined): URL {
  if (location === undefined) throw wrong(`${withoutQuery(from)} redirects without saying where to`)
  if (!URL.canParse(location, from)) throw wrong(`${withoutQuery(from)} redirects to what is no URL`)
  const to = new URL(location, from)
  to.hash = ''
  const isDowngrade = from.protocol === 'https:' && to.protocol !== 'https:'
  if (isDowngrade || !/^https?:$/.test(to.protocol) || to.username !== '' || to.password !== '')
    throw wrong(`${withoutQuery(from)} redirects to ${to.protocol}//${to.host}, where it may not lead`)
  return to
}

function portOf({ port, protocol }: URL): string {
  return port === '' ? (protocol === 'https:' ? '443' : '80') : port
}

function anonymous(headers: Exchange['headers']): Exchange['headers'] {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'authorization'))
}
