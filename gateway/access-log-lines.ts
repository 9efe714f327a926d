import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Answer } from './answer.ts'
import { escapeField, loggedTarget } from './logged-target.ts'

/** The combined format of Apache. The user stays "-": who somebody claims to be is only the registry's to judge. */
export function combinedLine(answer: Answer): string {
  const { arrival, req } = answer
  const request = `${req.method} ${loggedTarget(arrival?.target ?? req.url ?? '')} HTTP/${req.httpVersion}`
  const referer = escapeField(req.headers.referer ?? '-')
  const agent = escapeField(req.headers['user-agent'] ?? '-')
  const remote = arrival?.remoteAddress ?? req.socket.remoteAddress ?? '-'
  return `${remote} - - [${logTime(Date.now())}] "${request}" ${statusOf(answer)} ${answer.bodyBytes} "${referer}" "${agent}"\n`
}

export function jsonLine(answer: Answer): string {
  const { arrival, match, req, upstreamMs } = answer
  const connection = connectionOf(req.socket)
  const entry = {
    time: new Date().toISOString(),
    remote: arrival?.remoteAddress,
    host: arrival?.host,
    repository: match?.kind === 'repository' ? match.key : undefined,
    method: req.method,
    path: loggedTarget(arrival?.target ?? req.url ?? ''),
    status: statusOf(answer),
    bytesIn: req.socket.bytesRead - connection.bytesReadBefore,
    bytesOut: answer.bodyBytes,
    durationMs: tenths(performance.now() - answer.startedAt),
    upstreamMs: upstreamMs === undefined ? undefined : tenths(upstreamMs),
    tls: connection.tls,
    requestId: arrival?.id,
    aborted: !answer.writableFinished,
  }
  connection.bytesReadBefore = req.socket.bytesRead
  return `${JSON.stringify(entry)}\n`
}

/** As nginx has it: 499 when the client left before there was an answer. */
function statusOf({ headersSent, statusCode }: Answer): number {
  return headersSent ? statusCode : 499
}

interface LoggedConnection {
  readonly tls: string | undefined
  /** At the end of the request before this one. */
  bytesReadBefore: number
}

const connections = new WeakMap<Socket, LoggedConnection>()

function connectionOf(socket: Socket): LoggedConnection {
  const known = connections.get(socket)
  if (known) return known
  const tls = socket instanceof TLSSocket ? (socket.getProtocol() ?? undefined) : undefined
  const connection = { tls, bytesReadBefore: 0 }
  connections.set(socket, connection)
  return connection
}

function tenths(ms: number): number {
  return Math.round(ms * 10) / 10
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
let second = { number: 0, text: '' }

/** `10/Oct/2000:13:55:36 +0000`, made once a second. */
function logTime(now: number): string {
  const number = Math.floor(now / 1000)
  if (second.number !== number) {
    const [year, month, day, time] = new Date(now).toISOString().split(/[-T.]/)
    second = { number, text: `${day}/${months[Number(month) - 1]}/${year}:${time} +0000` }
  }
  return second.text
}
