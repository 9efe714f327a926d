import type { IncomingHttpHeaders } from 'node:http'
import { challengeHeader } from '../wire/challenge.ts'
import type { Arrival } from './answer.ts'
import { connectionOptions } from './connection-options.ts'

/** RFC 9110 §7.6.1, and what Node's client sets by itself; `Expect` is agreed with upstream hop by hop. */
const hopByHop = [
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'expect',
]
/** What only the gateway may tell the registry: a client that sets them would choose the URLs that others are told. */
const reserved = [
  'host',
  'forwarded',
  'x-real-ip',
  'x-original-uri',
  'x-original-url',
  'x-rewrite-url',
  'x-request-id',
  'x-artifactory-override-base-url',
  'x-jfrog-override-base-url',
  challengeHeader,
]
const withheld: ReadonlySet<string> = new Set([...hopByHop, ...reserved])
const withheldPrefixes = /^(?:proxy-|x-forwarded-|x-sendfile|x-accel-)/
/** Others stand for the same variable in a CGI-like upstream: `x_forwarded_for` would be `X-Forwarded-For` there. */
const plainName = /^[a-z0-9-]+$/
/** A client that names these in Connection would have the gateway take away what upstream decides by. */
const kept: ReadonlySet<string> = new Set([
  'authorization',
  'cookie',
  'content-length',
  'content-type',
  'content-range',
])

/** What of the client's headers goes upstream, and what the gateway adds. */
export function forwardedHeaders(headers: IncomingHttpHeaders, arrival: Arrival): IncomingHttpHeaders {
  const forwarded: IncomingHttpHeaders = {
    host: arrival.host,
    'x-forwarded-for': arrival.forwardedFor,
    'x-forwarded-proto': arrival.scheme,
    'x-forwarded-host': arrival.host,
    'x-forwarded-port': String(arrival.port),
    'x-real-ip': arrival.remoteAddress,
    'x-original-uri': arrival.target,
    'x-request-id': arrival.id,
  }
  const named = connectionOptions(headers.connection)
  for (const name in headers) {
    if (withheld.has(name) || withheldPrefixes.test(name) || !plainName.test(name)) continue
    if (named !== undefined && named.has(name) && !kept.has(name)) continue
    forwarded[name] = headers[name]
  }
  return forwarded
}
