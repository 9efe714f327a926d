import { once } from 'node:events'
import { lstat, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import type { ListenAddress } from './listen-address.ts'
import { LateBodies } from './late-bodies.ts'
import { expectContinue } from './request-body.ts'

export interface Listener {
  /** With the port that was taken, where 0 was asked for. */
  readonly address: ListenAddress
  /** Takes no new connections, lets the requests that run finish, and closes. */
  stop(): Promise<void>
}

/** A push may take hours: only what stands still, and what does not even begin, is ended. */
const serverOptions = {
  requestTimeout: 0,
  headersTimeout: 30_000,
  connectionsCheckingInterval: 5_000,
  // Longer than what proxies in front keep idle connections for, so that it is they who close them.
  keepAliveTimeout: 90_000,
  // The gateway takes 32 KiB and adds to them, the whole target once more (X-Original-URI).
  maxHeaderSize: 72 * 1024,
}
const idleTimeoutMs = 900_000
const drainCheckMs = 50
const lateBodyMs = 1000

/** Throws an error that says which address is taken. `answer` never rejects. `watch` sees the server before it accepts a connection. */
export async function listen(
  wanted: ListenAddress,
  answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
  watch: (server: Server) => void,
): Promise<Listener> {
  const late = new LateBodies()
  const take = (request: IncomingMessage, response: ServerResponse) => {
    late.watch(request, response)
    void answer(request, response)
  }
  const server = createServer(serverOptions, take)
  server.setTimeout(idleTimeoutMs)
  server.on('checkContinue', (request, response) => {
    expectContinue(request)
    take(request, response)
  })
  watch(server)
  const address = wanted.kind === 'unix' ? await bindSocket(server, wanted.path) : await bindPort(server, wanted)
  return { address, stop: () => stop(server, late) }
}

async function bindPort(server: Server, { address, port }: ListenAddress & { kind: 'tcp' }): Promise<ListenAddress> {
  server.listen(port, address)
  await listening(server, `${address}:${port}`, 'another program listens there; name another port in registry.listen')
  const bound = server.address()
  return { kind: 'tcp', address, port: typeof bound === 'object' && bound ? bound.port : port }
}

async function bindSocket(server: Server, path: string): Promise<ListenAddress> {
  if (await answers(path))
    throw new Error(`registry.listen: another caisson runs on ${path}: stop it, or name another directory with --data`)
  await removeLeftover(path)
  // Whoever reaches the socket is believed who the client is; bound at once with the right mode, not changed later.
  const before = process.umask(0o117)
  try {
    server.listen(path)
  } finally {
    process.umask(before)
  }
  await listening(server, path, 'another caisson has just taken it')
  return { kind: 'unix', path }
}

async function listening(server: Server, where: string, taken: string): Promise<void> {
  try {
    await once(server, 'listening')
  } catch (cause) {
    const inUse = cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE'
    const reason = inUse ? taken : String(cause instanceof Error ? cause.message : cause)
    throw new Error(`registry.listen: cannot listen on ${where}: ${reason}`, { cause })
  }
}

/** What a process leaves behind that was killed. */
async function removeLeftover(path: string): Promise<void> {
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (found && !found.isSocket()) throw new Error(`registry.listen: ${path} is a file and no socket`)
  if (found) await rm(path)
}

async function answers(path: string): Promise<boolean> {
  const socket = connect(path)
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false // no such file, or nobody behind it
  } finally {
    socket.destroy()
  }
}

async function stop(server: Server, late: LateBodies): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  // A connection becomes idle when its last request has been answered, and nothing tells when.
  const drain = setInterval(() => {
    server.closeIdleConnections()
    late.endAfter(lateBodyMs)
  }, drainCheckMs)
  try {
    await closed
  } finally {
    clearInterval(drain)
  }
}
