import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { basic } from './upstream/test-token-server.ts'

export interface TestProxy extends AsyncDisposable {
  readonly url: string
  /** How many tunnels there were. */
  tunnels: number
  /** Answers with that in place of a tunnel; undefined: works. */
  refusal: string | undefined
}

/** A proxy that asks for a login, and leads wherever one wants. */
export async function startTestProxy(login: {
  readonly username: string
  readonly password: string
}): Promise<TestProxy> {
  const server = createServer()
  const open = new Set<Duplex>()
  server.on('connect', (request: IncomingMessage, client: Duplex, head: Buffer) => {
    open.add(client)
    client.on('error', () => undefined)
    client.once('close', () => open.delete(client))
    const isKnown = request.headers['proxy-authorization'] === basic(login)
    const refusal = proxy.refusal ?? (isKnown ? undefined : '407 Proxy Authentication Required')
    if (refusal !== undefined) return client.end(`HTTP/1.1 ${refusal}\r\nContent-Length: 0\r\n\r\n`)
    proxy.tunnels += 1
    const [host = '', port = ''] = (request.url ?? '').split(':')
    const there = connect(Number(port), host)
    client.write('HTTP/1.1 200 Connection Established\r\n\r\n')
    there.write(head)
    // Either end may break off: that is what the tests are about.
    Promise.all([pipeline(client, there), pipeline(there, client)]).catch(() => undefined)
    return client
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('a TCP server has a port')
  const proxy: TestProxy = {
    url: `http://127.0.0.1:${address.port}`,
    tunnels: 0,
    refusal: undefined,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      for (const socket of open) socket.destroy()
      await closed
    },
  }
  return proxy
}
