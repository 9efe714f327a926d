import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { payloadSum } from './v1-client.ts'

/**
 * A registry of the V1 API and its index, as docker-registry was run behind one, as far as a push asks: the password opens the index alone, a
 * token for writing nothing but writes, and what was never pushed has no token for reading.
 */
export async function startV1Index({ login }: { readonly login: string }) {
  const calls: string[] = []
  const kept = new Map<string, Buffer>()
  const server = createServer((request, response) => void answer({ login, calls, kept }, request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    calls,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

interface State {
  readonly login: string
  readonly calls: string[]
  /** By path. */
  readonly kept: Map<string, Buffer>
}

async function answer(
  { login, calls, kept }: State,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { method = '', url = '', headers } = request
  const path = url.replace('/v1/', '')
  const body = await buffer(request)
  const say = (status: number, body: string | Buffer, more: Record<string, string> = {}) =>
    void response.writeHead(status, { 'content-type': 'application/json', ...more }).end(body)
  const tokenOf = (image: string, access: string) => `signature=abc,repository="${image}",access=${access}`
  calls.push(`${method} ${path}`)
  if (path === '_ping') return say(200, 'true', { 'x-docker-registry-standalone': '0' })
  const basic = `Basic ${Buffer.from(login).toString('base64')}`
  const [, image = '', rest] = /^repositories\/(.+?)\/(images)?$/.exec(path) ?? []
  if (path === 'users/' || image !== '') {
    if (headers.authorization !== basic) return say(401, '{"error":"Requires authorization"}')
    if (rest === undefined) kept.set(image, body)
    if (method === 'GET' && !kept.has(image)) return say(404, '{"error":"images not found"}')
    const token = `Token ${tokenOf(image, method === 'PUT' ? 'write' : 'read')}`
    return say(method === 'PUT' && rest !== undefined ? 204 : 200, '', { 'x-docker-token': token })
  }
  const access = method === 'PUT' ? 'write' : 'read'
  if (headers.authorization !== `Token ${tokenOf('team/app', access)}`)
    return say(401, '{"error":"Requires authorization"}')
  if (method === 'GET') {
    const found = kept.get(path.replace('/library/', '/'))
    return found ? say(200, found) : say(404, '{"error":"not found"}')
  }
  kept.set(path, body)
  if (path.endsWith('/checksum')) {
    const of = (part: string) => kept.get(path.replace('checksum', part)) ?? Buffer.alloc(0)
    const isRight = headers['x-docker-checksum-payload'] === payloadSum(of('json').toString(), of('layer'))
    const hasTarsum = /^tarsum\+sha256:[0-9a-f]{64}$/.test(String(headers['x-docker-checksum']))
    if (!isRight || !hasTarsum) return say(400, '{"error":"Checksum mismatch"}')
  }
  say(200, 'true')
}
