import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import type { AddressRanges } from '../wire/address-ranges.ts'
import type { Arrival } from './answer.ts'
import type { Listener } from './config.ts'
import { parseHost } from './host-name.ts'
import type { Refusal } from './refusal.ts'

/** The request is answered by the gateway itself. */
export class Refused extends Error {
  readonly refusal: Refusal
  constructor(refusal: Refusal) {
    super(refusal.message)
    this.refusal = refusal
  }
}

/** Node's servers leave out, unseen, what comes after the thousandth: no upstream shall get there. */
const maxHeaders = 200

/** Who asks, and for which host. Throws Refused. */
export function receive(request: IncomingMessage, listener: Listener, isTrusted: AddressRanges): Arrival {
  const { headers, socket, rawHeaders } = request
  if (rawHeaders.length > maxHeaders * 2) {
    throw new Refused({ status: 431, code: 'BAD_REQUEST', message: `there are more than ${maxHeaders} headers` })
  }
  // Its answer would repeat the headers that the gateway adds for the registry alone.
  if (request.method === 'TRACE')
    throw new Refused({ status: 405, code: 'UNSUPPORTED', message: 'there is no TRACE here' })
  const peer = plainAddress(socket.remoteAddress ?? '')
  const believed = isTrusted(peer)
  const scheme = believed ? schemeOf(headers['x-forwarded-proto'], listener) : ownScheme(listener)
  const host = (believed ? firstOf(headers['x-forwarded-host']) : undefined) ?? headers.host
  const parsed = host === undefined ? undefined : parseHost(host)
  if (host === undefined || !parsed || hasSeveralHosts(request))
    throw badRequest('the request needs one valid Host header')

  const forwardedFor = believed ? listOf(headers['x-forwarded-for']) : []
  return {
    id: (believed ? requestIdOf(headers['x-request-id']) : undefined) ?? randomUUID(),
    listener,
    remoteAddress: forwardedFor.findLast((address) => isIP(address) !== 0 && !isTrusted(address)) ?? peer,
    scheme,
    host,
    port:
      (believed ? portOf(headers['x-forwarded-port']) : undefined) ?? parsed.port ?? (scheme === 'https' ? 443 : 80),
    forwardedFor: [...forwardedFor, peer].join(', '),
    target: request.url ?? '',
    hasBody: declaresBody(request),
  }
}

/** Whether the request has a body; refuses one whose end upstream could see elsewhere than we do. */
function declaresBody({ headers, method, httpVersion }: IncomingMessage): boolean {
  const coding = headers['transfer-encoding']
  if (coding === undefined) return headers['content-length'] !== undefined && headers['content-length'] !== '0'
  // RFC 9112 §6.1: a coding in HTTP/1.0 is faulty framing; one that we do not undo must not be passed on as undone.
  if (httpVersion === '1.0') throw badRequest('HTTP/1.0 has no Transfer-Encoding')
  if (coding.toLowerCase() !== 'chunked') {
    throw new Refused({ status: 501, code: 'UNSUPPORTED', message: 'the only Transfer-Encoding understood is chunked' })
  }
  if (method !== undefined && bodiless.has(method)) {
    throw new Refused({ status: 411, code: 'SIZE_INVALID', message: `a body of ${method} needs a Content-Length` })
  }
  return true
}

/** Methods for which Node's client sends no chunked body, so that its bytes would be taken for the next request. */
const bodiless: ReadonlySet<string> = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE'])

function badRequest(message: string): Refused {
  return new Refused({ status: 400, code: 'BAD_REQUEST', message })
}

/** Node keeps the first of several; somebody else may keep the last. */
function hasSeveralHosts({ rawHeaders }: IncomingMessage): boolean {
  let hosts = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]
    if (name?.length === 4 && name.toLowerCase() === 'host') hosts += 1
  }
  return hosts > 1
}

/** IPv4 as such, also when it came in on a socket for both. */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address
}

function ownScheme({ tls }: Listener): 'http' | 'https' {
  return tls ? 'https' : 'http'
}

function schemeOf(field: string | string[] | undefined, listener: Listener): 'http' | 'https' {
  const scheme = firstOf(field)?.toLowerCase()
  return scheme === 'https' || scheme === 'http' ? scheme : ownScheme(listener)
}

function portOf(field: string | string[] | undefined): number | undefined {
  const port = firstOf(field)
  return port !== undefined && /^[1-9]\d{0,4}$/.test(port) ? Number(port) : undefined
}

function requestIdOf(field: string | string[] | undefined): string | undefined {
  return typeof field === 'string' && /^[\w.:+/=-]{1,128}$/.test(field) ? field : undefined
}

function firstOf(field: string | string[] | undefined): string | undefined {
  return listOf(field)[0]
}

function listOf(field: string | string[] | undefined): readonly string[] {
  if (field === undefined) return []
  return [field]
    .flat()
    .flatMap((one) => one.split(',').map((part) => part.trim()))
    .filter(Boolean)
}
