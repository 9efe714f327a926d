import { once } from 'node:events'
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { dockerImage } from './schema1-image.ts'

/** In front of the registry at `port`, as if it were one of before schema 2: docker pushes schema 1 when it is refused that. */
export async function startOldRegistry(port: number): Promise<AsyncDisposable & { readonly port: number }> {
  const server = createServer((asked, answer) => {
    const isToday = asked.method === 'PUT' && asked.headers['content-type'] === dockerImage
    if (isToday) refuse(asked, answer)
    else void forward(port, asked, answer)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function refuse(asked: IncomingMessage, answer: ServerResponse): void {
  asked.resume()
  answer.writeHead(400, { 'content-type': 'application/json' })
  answer.end('{"errors":[{"code":"MANIFEST_INVALID","message":"manifest invalid"}]}')
}

/** What breaks off breaks off for both. */
async function forward(port: number, asked: IncomingMessage, answer: ServerResponse): Promise<void> {
  const { method, url: path, headers } = asked
  const sent = request({ host: '127.0.0.1', port, method, path, headers })
  try {
    const [[received]] = await Promise.all([
      once(sent, 'response') as Promise<[IncomingMessage]>,
      pipeline(asked, sent),
    ])
    answer.writeHead(received.statusCode ?? 502, received.headers)
    await pipeline(received, answer)
  } catch (error) {
    answer.destroy(error instanceof Error ? error : undefined)
  }
}
