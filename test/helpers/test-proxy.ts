import { once } from 'node:events'
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { basic } from './upstream/test-token-server.ts'

export interface TestProxy extends AsyncDisposable {
  readonly url: string
  /** How many requests and tunnels it has let through. */
  passed: number
  /** Answers with that; undefined: works. */
  refusal: string | undefined
}

/** A proxy that asks for a login, and leads wherever one wants: through tunnels, and by whole URLs what is not secure. */
export async function startTestProxy(login: {
  readonly username: string
  readonly password: string
}): Promise<TestProxy> {
  const refusalOf = ({ headers }: IncomingMessage): string | undefined =>
    proxy.refusal ?? (headers['proxy-authorization'] === basic(login) ? undefined : '407 Proxy Authentication Required')

  const pass = async (asked: IncomingMessage, response: ServerResponse): Promise<void> => {
    const refusal = refusalOf(asked)
    if (refusal !== undefined) return void response.writeHead(Number(refusal.split(' ')[0])).end()
    proxy.passed += 1
    const { 'proxy-authorization': _ours, ...headers } = asked.headers
    const there = request(asked.url ?? '', { method: asked.method ?? 'GET', headers, agent: false })
    // Either end may break off: that is what the tests are about.
    there.on('error', () => response.destroy())
    there.end()
    const [answer] = (await once(there, 'response')) as [IncomingMessage]
    response.writeHead(answer.statusCode ?? 502, answer.headers)
    await pipeline(answer, response)
  }

  const server = createServer((asked, response) => {
    pass(asked, response).catch(() => response.destroy())
  })
  const open = new Set<Duplex>()
  server.on('connect', (asked: IncomingMessage, client: Duplex, head: Buffer) => {
    open.add(client)
    client.on('error', () => undefined)
    client.once('close', () => open.delete(client))
    const refusal = refusalOf(asked)
    if (refusal !== undefined) return client.end(`HTTP/1.1 ${refusal}\r\nContent-Length: 0\r\n\r\n`)
    proxy.passed += 1
    const [host = '', port = ''] = (asked.url ?? '').split(':')
    const there = connect(Number(port), host)
    client.write('HTTP/1.1 200 Connection Established\r\n\r\n')
    there.write(head)
    Promise.all([pipeline(client, there), pipeline(there, client)]).catch(() => undefined)
    return client
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('a TCP server has a port')
  const proxy: TestProxy = {
    url: `http://127.0.0.1:${address.port}`,
    passed: 0,
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
