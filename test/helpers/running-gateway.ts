import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer as createHttpServer, type RequestListener } from 'node:http'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import type { z } from 'zod'
import { gatewaySection } from '../../gateway/config.ts'
import type { ServerCertificates } from '../../gateway/server-certificates.ts'
import { startGateway, type Gateway } from '../../gateway/start.ts'
import { makeCertificate, serveCertificate } from './test-certificate.ts'

export interface GatewaySettings {
  /** Where http or bytes are answered; undefined: nobody is there. */
  readonly upstream?: RequestListener | ((socket: Socket) => void) | undefined
  readonly upstreamSpeaks?: 'http' | 'bytes'
  readonly upstreamBy?: 'socket' | 'port'
  readonly config?: Omit<z.input<typeof gatewaySection>, 'upstream'>
  readonly certificates?: ServerCertificates
  /** Whether files below the directory are sent from there. Default: true. */
  readonly sendsFiles?: boolean
}

/** A gateway in this process, in front of an upstream that the test plays. */
export interface RunningGateway extends AsyncDisposable {
  readonly gateway: Gateway
  readonly directory: string
  /** Of its listeners, in their order. */
  readonly ports: readonly number[]
  readonly port: number
  /** Files below it may be sent. */
  readonly files: string
  /** Of the error log. */
  readonly messages: readonly string[]
  /** What the access log says after the gateway has stopped. */
  accessLog(): Promise<readonly string[]>
}

export const certificate = makeCertificate(['localhost', '*.localhost'])

export async function runGateway(settings: GatewaySettings = {}): Promise<RunningGateway> {
  const directory = await mkdtemp(join(tmpdir(), 'caisson-gateway-'))
  const upstream = settings.upstream && (await startUpstream(settings, join(directory, 'upstream.sock')))
  const messages: string[] = []
  const accessLogFile = join(directory, 'access.log')
  const gateway = await startGateway({
    config: gatewaySection.parse({
      listeners: [{ port: 0, repository: 'docker-local' }],
      drainSeconds: 0,
      accessLog: { file: accessLogFile },
      ...settings.config,
      upstream: upstream?.address ?? `unix:${join(directory, 'nobody.sock')}`,
    }),
    certificates: settings.certificates ?? serveCertificate(certificate),
    sendfileRoots: settings.sendsFiles === false ? [] : [directory],
    ticketKeys: randomBytes(48),
    log: pino({ level: 'debug' }, { write: (line: string) => void messages.push(line) }),
  })
  const ports = gateway.listening.map(({ port }) => port)
  return {
    gateway,
    directory,
    ports,
    port: ports[0] ?? 0,
    files: directory,
    messages,
    async accessLog() {
      await gateway.stop()
      return (await readFile(accessLogFile, 'utf8')).trimEnd().split('\n')
    },
    async [Symbol.asyncDispose]() {
      await gateway.stop()
      await upstream?.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

async function startUpstream(settings: GatewaySettings, socketPath: string) {
  const server: Server =
    settings.upstreamSpeaks === 'bytes'
      ? createServer({ allowHalfOpen: true }, settings.upstream as (socket: Socket) => void)
      : createHttpServer(settings.upstream as RequestListener)
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  server.listen(settings.upstreamBy === 'port' ? { port: 0, host: '127.0.0.1' } : { path: socketPath })
  await once(server, 'listening')
  const bound = server.address()
  return {
    address: bound !== null && typeof bound === 'object' ? `http://127.0.0.1:${bound.port}` : `unix:${socketPath}`,
    async stop() {
      server.close()
      sockets.forEach((socket) => socket.destroy())
      if (server.listening) await once(server, 'close')
    },
  }
}
