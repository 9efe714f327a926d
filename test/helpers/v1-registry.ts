import { readdir, readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { once } from 'node:events'

export interface V1RegistryOptions {
  /** `user:password`. Default: anybody may. */
  readonly login?: string
  /** Behind an index: only that sees the password, and gives tokens. */
  readonly standalone?: 'False'
}

/** Serves a storage directory as the V1 registry in Python did, as far as a pull asks. */
export async function startV1Registry(directory: string, options: V1RegistryOptions = {}) {
  const requests: string[] = []
  const server = createServer((request, response) => {
    requests.push(request.url ?? '')
    void answer(directory, options, request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

const token = 'signature=abc,repository="team/app",access=read'

async function answer(
  directory: string,
  { login, standalone }: V1RegistryOptions,
  { url = '', headers }: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = new URL(url, 'http://v1').pathname
  const say = (status: number, body: string | Uint8Array, more: Record<string, string> = {}) =>
    response.writeHead(status, { 'content-type': 'application/json', ...more }).end(body)
  if (path === '/v1/_ping') return void say(200, '{}', { 'x-docker-registry-standalone': standalone ?? 'True' })
  const basic = login === undefined ? undefined : `Basic ${Buffer.from(login).toString('base64')}`
  const isIndex = path.endsWith('/images') || path === '/v1/search'
  const wanted = standalone === undefined || isIndex ? basic : `Token ${token}`
  if (wanted !== undefined && headers.authorization !== wanted)
    return void say(401, '{"error":"Requires authorization"}')
  try {
    if (isIndex && path.endsWith('/images')) return void say(200, '[]', { 'x-docker-token': `Token ${token}` })
    if (path === '/v1/search') return void say(200, JSON.stringify(await search(directory)))
    const [, image] = /^\/v1\/repositories\/(.+)\/tags$/.exec(path) ?? []
    if (image !== undefined) return void say(200, JSON.stringify(await tags(directory, image)))
    const [, id, what] = /^\/v1\/images\/([0-9a-f]+)\/(json|layer)$/.exec(path) ?? []
    const body = await readFile(join(directory, 'images', id ?? '', what ?? ''))
    const checksum = await readFile(join(directory, 'images', id ?? '', '_checksum'), 'utf8')
    say(200, body, { 'x-docker-checksum-payload': checksum })
  } catch {
    say(404, '{"error":"Image not found"}')
  }
}

async function search(directory: string) {
  const namespaces = await readdir(join(directory, 'repositories'))
  const names = await Promise.all(
    namespaces.map(async (space) =>
      (await readdir(join(directory, 'repositories', space))).map((name) => ({
        name: `${space}/${name}`,
        description: '',
      })),
    ),
  )
  return { query: '', num_results: names.flat().length, results: names.flat() }
}

async function tags(directory: string, image: string): Promise<Record<string, string>> {
  const files = await readdir(join(directory, 'repositories', image))
  const named = files.filter((file) => file.startsWith('tag_'))
  const entries = named.map(async (file) => [
    file.slice('tag_'.length),
    await readFile(join(directory, 'repositories', image, file), 'utf8'),
  ])
  return Object.fromEntries((await Promise.all(entries)) as [string, string][]) as Record<string, string>
}
