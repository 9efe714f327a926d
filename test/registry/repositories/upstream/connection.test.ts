import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer, request, type IncomingMessage } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { before, after, describe, test, type TestContext } from 'node:test'
import { withoutPrograms } from '../../../helpers/available.ts'
import { createAuthority, type Authority } from '../../../helpers/openssl-authority.ts'
import { temporaryDirectory } from '../../../helpers/temporary-directory.ts'
import { tinyImage } from '../../../helpers/tiny-image.ts'
import { redirected } from '../../../helpers/upstream/faults.ts'
import { bytesOf, clientOf, digest, failing, image, latest, startUpstream } from './upstreams.ts'

describe('over TLS', { skip: withoutPrograms('openssl') }, () => {
  const made = new AsyncDisposableStack()
  let authority: Authority
  let tls: { readonly cert: Buffer; readonly key: Buffer }
  let shown: { readonly cert: string; readonly key: string }
  before(async () => {
    authority = made.use(await createAuthority())
    const directory = made.use(await temporaryDirectory())
    const server = await authority.issue(['localhost', '127.0.0.1'])
    tls = { cert: await readFile(server.cert), key: await readFile(server.key) }
    const client = await authority.issue(['a client'])
    shown = { cert: join(directory.path, 'client.crt'), key: join(directory.path, 'client.key') }
    await writeFile(shown.cert, await readFile(client.cert))
    await writeFile(shown.key, await readFile(client.key))
  })
  after(() => made.disposeAsync())

  test('the upstream is believed for the authority of the configuration alone', async (t) => {
    const upstream = await startUpstream(t, { tls })
    upstream.content.push(image, 'latest', tinyImage('a'))
    const trusting = await clientOf(t, upstream.url, { ca: authority.file })
    assert.ok(await trusting.client.manifest(image, latest))
    const other = await clientOf(t, upstream.url)
    await assert.rejects(other.client.manifest(image, latest), failing('unreachable', /certificate/))
    assert.equal(upstream.requests.length, 1)
  })

  test('a certificate with another name is not believed', async (t) => {
    const other = await authority.issue(['registry.example'])
    const wrong = { cert: await readFile(other.cert), key: await readFile(other.key) }
    const upstream = await startUpstream(t, { tls: wrong })
    const { client } = await clientOf(t, upstream.url, { ca: authority.file })
    await assert.rejects(client.manifest(image, latest), failing('unreachable', /altnames/))
  })

  test('the client certificate is shown to the upstream, and to no other host', async (t) => {
    const mutual = { ...tls, ca: await readFile(authority.file), requestCert: true, rejectUnauthorized: true }
    const upstream = await startUpstream(t, { tls: mutual })
    upstream.content.push(image, 'latest', tinyImage('a'))
    const wanted = digest(upstream.content.blob(image, Buffer.from('a layer')))
    const { client } = await clientOf(t, upstream.url, { ca: authority.file, clientCertificate: shown })
    assert.ok(await client.manifest(image, latest))
    const nobody = await clientOf(t, upstream.url, { ca: authority.file })
    await assert.rejects(nobody.client.manifest(image, latest), failing('unreachable'))

    const byAddress = (url: string) => url.replace('localhost', '127.0.0.1')
    upstream.break(
      'blob',
      redirected((path) => `${byAddress(upstream.elsewhere.url)}${path}`),
    )
    await assert.rejects(client.blob(image, wanted, 0), failing('unreachable'))
    assert.equal(upstream.elsewhere.requests.length, 0)
    const settings = { ca: authority.file, clientCertificate: shown }
    const direct = await clientOf(t, byAddress(upstream.elsewhere.url), settings)
    assert.ok(await direct.client.blob(image, wanted, 0))
  })

  test('nothing secure leads to anything insecure', async (t) => {
    const upstream = await startUpstream(t, { tls })
    const plain = await startUpstream(t)
    upstream.break(
      'manifest',
      redirected((path) => `${plain.url}${path}`),
    )
    const { client } = await clientOf(t, upstream.url, { ca: authority.file })
    await assert.rejects(client.manifest(image, latest), failing('wrong', /where it may not lead/))
    assert.equal(plain.requests.length, 0)
  })

  test('a token realm without TLS is refused, with and without credentials', async (t) => {
    const upstream = await startUpstream(t, { tls, tokens: {} })
    const { client } = await clientOf(t, upstream.url, { ca: authority.file })
    await assert.rejects(client.manifest(image, latest), failing('refused', /which is not https/))
    assert.equal(upstream.tokens.requests.length, 0)
  })

  test('through a proxy, TLS is with the upstream itself', async (t) => {
    const upstream = await startUpstream(t, { tls })
    upstream.content.push(image, 'latest', tinyImage('a'))
    const proxy = await startProxy(t)
    const { client } = await clientOf(t, upstream.url, { ca: authority.file, proxy: { url: proxy.url } })
    assert.ok(await client.manifest(image, latest))
    assert.deepEqual(proxy.seen, [['CONNECT', new URL(upstream.url).host, undefined]])
  })
})

test('through a proxy, which is shown its own login, and the upstream is not', async (t) => {
  process.env.CAISSON_TEST_PROXY = 'for the proxy'
  const upstream = await startUpstream(t)
  upstream.content.push(image, 'latest', tinyImage('a'))
  const proxy = await startProxy(t, 'Basic ' + Buffer.from('gate:for the proxy').toString('base64'))
  const settings = { url: proxy.url, username: 'gate', password: { env: 'CAISSON_TEST_PROXY' } }
  const { client } = await clientOf(t, upstream.url, { proxy: settings })
  assert.ok(await client.manifest(image, latest))
  assert.deepEqual(
    proxy.seen.map(([method, target]) => [method, target]),
    [['GET', `${upstream.url}/v2/library/nginx/manifests/latest`]],
  )
  assert.equal(upstream.requests[0]?.headers['proxy-authorization'], undefined)

  const nobody = await clientOf(t, upstream.url, { proxy: { url: proxy.url } })
  await assert.rejects(nobody.client.manifest(image, latest), failing('unreachable', /407|Proxy/))
  const away = await clientOf(t, upstream.url, { proxy: { url: 'http://127.0.0.1:1' } })
  await assert.rejects(away.client.manifest(image, latest), failing('unreachable', /refused/))
})

test('where private addresses are refused, nothing is fetched from one, wherever the upstream leads', async (t) => {
  const upstream = await startUpstream(t)
  upstream.content.push(image, 'latest', tinyImage('a'))
  const refusing = { refusePrivateAddresses: true }
  const { port } = new URL(upstream.url)
  for (const host of ['127.0.0.1', 'localhost', '[::ffff:127.0.0.1]', '2130706433', 'a.localhost', '127.1']) {
    const { client } = await clientOf(t, `http://${host}:${port}`, refusing)
    await assert.rejects(client.manifest(image, latest), failing('wrong', /private address/), host)
    await assert.rejects(client.foreign(new URL(upstream.url), 0), failing('wrong', /private address/), host)
  }
  assert.equal(upstream.requests.length, 0)
})

test('what the configuration names must be there, and what it is said to be', async (t) => {
  const directory = await temporaryDirectory()
  t.after(() => directory[Symbol.asyncDispose]())
  const [missing, empty] = [join(directory.path, 'missing'), join(directory.path, 'empty')]
  await writeFile(empty, 'nothing')
  const open = (settings: object) => clientOf(t, 'https://registry.example', settings)
  await assert.rejects(open({ ca: missing }), /^Error: ca: ENOENT/)
  await assert.rejects(open({ ca: empty }), /^Error: ca: .*empty is no PEM file with certificates/)
  await assert.rejects(open({ token: { env: 'CAISSON_NOT_SET' } }), /^Error: token: .*CAISSON_NOT_SET is not set/)
  await assert.rejects(open({ username: 'us', password: { file: missing } }), /^Error: password: ENOENT/)
  const pair = { cert: missing, key: missing }
  await assert.rejects(open({ clientCertificate: pair }), /^Error: clientCertificate\.cert: ENOENT/)
  const proxy = { url: 'http://proxy.example', username: 'us', password: { file: missing } }
  await assert.rejects(open({ proxy }), /^Error: proxy\.password: ENOENT/)
})

/** Forwards, or makes tunnels. What it sees: the method, where to, and what authenticates the client. */
async function startProxy(t: TestContext, login?: string) {
  const seen: (readonly [method: string, target: string, login: string | undefined])[] = []
  const admits = (method = '', target = '', shown?: string) => {
    seen.push([method, target, shown])
    return shown === login
  }
  const server = createServer((asked, answer) => {
    const forward = async () => {
      if (!admits(asked.method, asked.url, asked.headers['proxy-authorization'])) return answer.writeHead(407).end()
      const { 'proxy-authorization': _, ...headers } = asked.headers
      const sent = request(asked.url ?? '', { method: asked.method ?? 'GET', headers })
      sent.end()
      const [response] = (await once(sent, 'response')) as [IncomingMessage]
      answer.writeHead(response.statusCode ?? 0, response.headers)
      return await pipeline(response, answer)
    }
    forward().catch(() => answer.destroy())
  })
  server.on('connect', (asked, socket) => {
    if (!admits(asked.method, asked.url, asked.headers['proxy-authorization'])) {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n')
      return
    }
    const { hostname, port } = new URL(`http://${asked.url}`)
    const tunnel = connect(Number(port), hostname, () => socket.write('HTTP/1.1 200 Connected\r\n\r\n'))
    pipeline(socket, tunnel, socket).catch(() => tunnel.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen }
}

test('a blob comes through a proxy as it is', async (t) => {
  const upstream = await startUpstream(t)
  const wanted = digest(await upstream.content.pattern(image, 300_000))
  const { client } = await clientOf(t, upstream.url, { proxy: { url: (await startProxy(t)).url } })
  assert.equal((await bytesOf(await client.blob(image, wanted, 0))).length, 300_000)
})
