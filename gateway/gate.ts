import type { Logger } from 'pino'
import type { AddressRanges } from '../wire/address-ranges.ts'
import { BadRequestTarget, parseRequestTarget } from '../wire/request-target.ts'
import type { AccessLog } from './access-log.ts'
import type { Answer, Arrival } from './answer.ts'
import { receive, Refused } from './arrival.ts'
import type { Listener } from './config.ts'
import type { Forward } from './forward.ts'
import { parseHost } from './host-name.ts'
import { endIdle } from './idle.ts'
import type { InFlight } from './in-flight.ts'
import { refuse, sendWhole, type Refusal } from './refusal.ts'
import { matchRoute, type Routes } from './routes.ts'

/** All that decides what becomes of a request. */
export interface Gate {
  readonly routes: Routes
  readonly forward: Forward
  readonly isTrusted: AddressRanges
  readonly accessLog: AccessLog
  readonly inFlight: InFlight
  readonly log: Logger
  /** PEM text for /ca.crt. */
  authority(): string | undefined
  /** Port that `redirect: https` leads to; undefined when nothing listens with TLS. */
  securePort(): number | undefined
}

/** Takes one request: answers it here, or forwards it. */
export function enter(gate: Gate, listener: Listener, answer: Answer): void {
  gate.inFlight.begin(answer)
  answer.on('close', () => {
    gate.accessLog.write(answer)
    gate.inFlight.end(answer)
  })
  answer.on('timeout', () => endIdle(answer, 'client'))
  try {
    const arrival = receive(answer.req, listener, gate.isTrusted)
    answer.arrival = arrival
    if (answer.expectation === 'unknown') throw new Refused(unknownExpectation)
    const { path, query } = parseRequestTarget(arrival.target)
    if (path === '/ca.crt') handOutAuthority(gate, answer)
    else if (listener.redirect) redirect(gate, answer, arrival)
    else route(gate, answer, arrival, path, query)
  } catch (error) {
    refuse(answer, refusalOf(error, gate.log))
  }
}

function route(gate: Gate, answer: Answer, { listener, host }: Arrival, path: string, query: string): void {
  const match = matchRoute(gate.routes, { listener, host, path })
  answer.match = match
  switch (match.kind) {
    case 'repository':
    case 'through':
      gate.forward(answer, match.upstreamPath + query)
      return
    case 'unknownHost':
      refuse(answer, unknownHost(host))
      return
    case 'nothingHere':
      refuse(answer, { status: 404, code: 'NAME_UNKNOWN', message: match.reason, isV2: match.lacks !== 'v2' })
      return
  }
}

function handOutAuthority(gate: Gate, answer: Answer): void {
  const pem = gate.authority()
  if (pem === undefined) {
    const message = 'the certificate of this gateway is not from an authority of its own'
    refuse(answer, { status: 404, code: 'NAME_UNKNOWN', message })
    return
  }
  sendWhole(answer, 200, ['Content-Type', 'application/x-x509-ca-cert'], pem)
}

function redirect(gate: Gate, answer: Answer, { host, target }: Arrival): void {
  const port = gate.securePort()
  if (port === undefined) {
    refuse(answer, { status: 404, code: 'NAME_UNKNOWN', message: 'no listener of this gateway speaks TLS' })
    return
  }
  const name = /^(?:\[[^\]]*\]|[^:]*)/.exec(host)?.[0] ?? host
  sendWhole(answer, 308, ['Location', `https://${name}${port === 443 ? '' : `:${port}`}${target}`], '')
}

const unknownExpectation: Refusal = {
  status: 417,
  code: 'UNSUPPORTED',
  message: 'the only expectation understood is 100-continue',
}

function unknownHost(host: string): Refusal {
  const name = parseHost(host)?.name ?? host
  const message = `no repository is mapped to the host "${name}"; to map one, add to caisson.yaml:
gateway:
  hosts:
    ${name.includes(':') ? `"${name}"` : name}: docker-local`
  return { status: 404, code: 'NAME_UNKNOWN', message }
}

function refusalOf(error: unknown, log: Logger): Refusal {
  if (error instanceof Refused) return error.refusal
  if (error instanceof BadRequestTarget) return { status: 400, code: 'BAD_REQUEST', message: error.message }
  log.error({ err: error }, 'a request could not be handled')
  return { status: 500, code: 'UNKNOWN', message: 'the gateway failed; its log says why' }
}
