import assert from 'node:assert/strict'
import type { IncomingHttpHeaders, RequestListener } from 'node:http'
import { test } from 'node:test'
import { ask } from '../helpers/https-client.ts'
import { RawConnection } from '../helpers/raw-connection.ts'
import { certificate, runGateway } from '../helpers/running-gateway.ts'

const echo: RequestListener = (request, response) => {
  response.end(JSON.stringify({ url: request.url, raw: request.rawHeaders, headers: request.headers }))
}
interface Echo {
  readonly url: string
  readonly raw: readonly string[]
  readonly headers: IncomingHttpHeaders
}

async function seenUpstream(port: number, lines: readonly string[], how?: 'tls' | 'plain'): Promise<Echo> {
  await using client = await RawConnection.open(port, how)
  const answer = await client.send(['GET /v2/x/tags/list?n=2 HTTP/1.1', ...lines, '', ''].join('\r\n')).answer()
  assert.equal(answer.status, 200, answer.body.toString())
  return answer.json() as Echo
}

test('the upstream learns the public host with its port, the scheme, the client and the original target', async () => {
  await using running = await runGateway({ upstream: echo })
  const { url, headers } = await seenUpstream(running.port, ['Host: registry.example:5001', 'Accept: */*'])
  assert.equal(url, '/artifactory/api/docker/docker-local/v2/x/tags/list?n=2')
  const { 'x-request-id': id, ...others } = headers
  assert.match(String(id), /^[0-9a-f-]{36}$/)
  assert.deepEqual(others, {
    host: 'registry.example:5001',
    accept: '*/*',
    connection: 'keep-alive',
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-host': 'registry.example:5001',
    'x-forwarded-port': '5001',
    'x-forwarded-proto': 'https',
    'x-original-uri': '/v2/x/tags/list?n=2',
    'x-real-ip': '127.0.0.1',
    'x-sendfile-type': 'X-Sendfile',
  })
})

test('a host without port has the port of its scheme, on TLS and without', async () => {
  await using running = await runGateway({
    upstream: echo,
    config: {
      listeners: [
        { port: 0, repository: 'a' },
        { port: 0, tls: false, repository: 'a' },
      ],
    },
  })
  const [secure = 0, plain = 0] = running.ports
  assert.equal((await seenUpstream(secure, ['Host: r.example'])).headers['x-forwarded-port'], '443')
  const { headers } = await seenUpstream(plain, ['Host: r.example'], 'plain')
  assert.equal(headers['x-forwarded-port'], '80')
  assert.equal(headers['x-forwarded-proto'], 'http')
})

test('what a client says about its way here goes no further, in whatever spelling', async () => {
  await using running = await runGateway({ upstream: echo })
  const forged = [
    'X-Forwarded-For: 6.6.6.6',
    'X-Forwarded-Host: evil.example',
    'X-Forwarded-Proto: http',
    'X-Forwarded-Port: 1',
    'X-Forwarded-Prefix: /evil',
    'Forwarded: for=6.6.6.6',
    'X-Real-IP: 6.6.6.6',
    'X-Original-URI: /evil',
    'X-Original-URL: /evil',
    'X-Rewrite-URL: /evil',
    'X-Request-Id: evil',
    'X-Sendfile-Type: X-Accel-Redirect',
    'X-Sendfile: /etc/evil',
    'X-Accel-Mapping: /=evil',
    'X-Artifactory-Override-Base-Url: http://evil',
    'X-JFrog-Override-Base-Url: http://evil',
    'X_Forwarded_For: 6.6.6.6',
    'X-Forwarded_Host: evil',
    'X.Real.IP: 6.6.6.6',
  ]
  const { raw } = await seenUpstream(running.port, ['Host: r.example', ...forged])
  assert.doesNotMatch(raw.join('\n'), /evil|6\.6\.6\.6/)
  assert.doesNotMatch(raw.filter((_, index) => index % 2 === 0).join('\n'), /[_.]/)
})

test('hop-by-hop headers go no further, nor those that Connection names, but never what upstream decides by', async () => {
  await using running = await runGateway({ upstream: echo })
  const { headers } = await seenUpstream(running.port, [
    'Host: r.example',
    'Connection: close, X-Hop, Authorization, X-Forwarded-For, Host',
    'X-Hop: 1',
    'X-End: 2',
    'Authorization: Basic YTpi',
    'Keep-Alive: timeout=1',
    'Proxy-Authorization: Basic eDp5',
    'Proxy-Connection: close',
    'TE: trailers',
    'Trailer: X-Sum',
    'Upgrade: websocket',
  ])
  assert.deepEqual(
    Object.keys(headers)
      .filter((name) => !name.startsWith('x-forwarded'))
      .sort(),
    ['authorization', 'connection', 'host', 'x-end', 'x-original-uri', 'x-real-ip', 'x-request-id', 'x-sendfile-type'],
  )
  assert.equal(headers.connection, 'keep-alive')
  assert.equal(headers['x-forwarded-for'], '127.0.0.1')
})

test('a trusted proxy is believed about the client, the scheme, the host and the request', async () => {
  const hosts = { 'public.example': 'docker-local' }
  const config = { listeners: [{ port: 0, tls: false }], hosts, trustedProxies: ['127.0.0.0/8', '10.0.0.1'] }
  await using running = await runGateway({ upstream: echo, config })
  const { headers } = await seenUpstream(
    running.port,
    [
      'Host: inside.example',
      'X-Forwarded-For: 6.6.6.6, 9.9.9.9, 10.0.0.1',
      'X-Forwarded-Proto: https',
      'X-Forwarded-Host: public.example:8443',
      'X-Forwarded-Port: 8443',
      'X-Request-Id: abc-1',
    ],
    'plain',
  )
  assert.equal(headers['x-forwarded-for'], '6.6.6.6, 9.9.9.9, 10.0.0.1, 127.0.0.1')
  assert.equal(headers['x-real-ip'], '9.9.9.9')
  assert.equal(headers['x-forwarded-proto'], 'https')
  assert.equal(headers['x-forwarded-host'], 'public.example:8443')
  assert.equal(headers['x-forwarded-port'], '8443')
  assert.equal(headers.host, 'public.example:8443')
  assert.equal(headers['x-request-id'], 'abc-1')
})

test('a bad entry of trustedProxies is named', async () => {
  await assert.rejects(runGateway({ config: { trustedProxies: ['10.0.0.0/8', 'lb.example'] } }), /"lb\.example"/)
})

test('of the answer the client sees all but what is between gateway and upstream', async () => {
  await using running = await runGateway({
    upstream: (_request, response) => {
      response.writeHead(200, {
        'Docker-Distribution-API-Version': 'registry/2.0',
        'Set-Cookie': ['a=1', 'b=2'],
        'X-Sendfile': '',
        'X-Accel-Redirect': '/x',
        'X-Accel-Buffering': 'no',
        Connection: 'keep-alive, X-Hop',
        'X-Hop': '1',
        'Keep-Alive': 'timeout=9',
        'Proxy-Authenticate': 'x',
        Upgrade: 'h2c',
        'X-Request-Id': 'theirs',
        'Content-Length': '2',
      })
      response.end('ok')
    },
  })
  const { headers } = await ask(certificate.cert, `https://localhost:${running.port}/v2/`)
  const { date, 'x-request-id': id, ...others } = headers
  assert.ok(date)
  assert.match(String(id), /^[0-9a-f-]{36}$/)
  assert.deepEqual(others, {
    'docker-distribution-api-version': 'registry/2.0',
    'set-cookie': ['a=1', 'b=2'],
    'content-length': '2',
    connection: 'keep-alive',
    'keep-alive': 'timeout=75',
  })
})

const mapped: readonly (readonly [string, string, string])[] = [
  ['Location', '/v2/docker-local/x/blobs/uploads/1?_state=a', '/v2/x/blobs/uploads/1?_state=a'],
  ['Location', 'http://localhost:PORT/v2/docker-local/x/', 'https://localhost:PORT/v2/x/'],
  ['Location', 'https://localhost:PORT/v2/docker-local/x/', 'https://localhost:PORT/v2/x/'],
  ['Location', 'http://UPSTREAM/v2/docker-local/x/', 'https://localhost:PORT/v2/x/'],
  ['Location', 'http://UPSTREAM/ui/', 'https://localhost:PORT/ui/'],
  [
    'Location',
    'https://s3.example/v2/docker-local/x?X-Amz-Signature=1',
    'https://s3.example/v2/docker-local/x?X-Amz-Signature=1',
  ],
  ['Location', '//s3.example/v2/docker-local/x', '//s3.example/v2/docker-local/x'],
  ['Location', '/v2/x/blobs/uploads/1', '/v2/x/blobs/uploads/1'],
  ['Link', '</v2/docker-local/x/tags/list?last=1&n=1>; rel="next"', '</v2/x/tags/list?last=1&n=1>; rel="next"'],
  [
    'WWW-Authenticate',
    'Bearer realm="http://UPSTREAM/v2/docker-local/token",service="x",scope="y"',
    'Bearer realm="https://localhost:PORT/v2/token",service="x",scope="y"',
  ],
  ['WWW-Authenticate', 'Bearer realm="https://auth.example/token"', 'Bearer realm="https://auth.example/token"'],
  ['WWW-Authenticate', 'Basic realm="Registry"', 'Basic realm="Registry"'],
]

test('URLs of a foreign upstream are mapped back to public ones, and those of others are left alone', async () => {
  const config = {
    rewrite: '/{api}/{key}/{path}',
    hosts: { localhost: 'docker-local' },
    listeners: [{ port: 0 }],
  }
  await using running = await runGateway({
    upstreamBy: 'port',
    config,
    upstream: (request, response) => {
      const [name = '', value = ''] = mapped[Number(request.headers['x-row'])] ?? []
      const { localPort } = request.socket
      const named = value.replace('PORT', String(request.headers['x-forwarded-port']))
      response.writeHead(200, { [name]: named.replace('UPSTREAM', `127.0.0.1:${localPort}`) }).end()
    },
  })
  for (const [row, [name, value, expected]] of mapped.entries()) {
    const url = `https://localhost:${running.port}/v2/x/tags/list`
    const { headers } = await ask(certificate.cert, url, { headers: { 'X-Row': String(row) } })
    assert.equal(headers[name.toLowerCase()], expected.replace('PORT', String(running.port)), `${name}: ${value}`)
  }
})

test('a host says how its clients are asked to log in, whatever the client says', async () => {
  await using running = await runGateway({
    upstream: echo,
    config: {
      hosts: {
        'old.example': { repository: 'a', challenge: 'basic' },
        '*.new.example': { repositoryFrom: 'host', challenge: 'token' },
        'paths.example': { repositoryFrom: 'path', challenge: 'basic' },
        'plain.example': 'a',
      },
      listeners: [{ port: 0 }, { port: 0, repository: 'a', challenge: 'basic' }],
    },
  })
  const [byHost = 0, byPort = 0] = running.ports
  const liar = 'X-Caisson-Challenge: token'
  for (const [port, host, challenge] of [
    [byHost, 'old.example', 'basic'],
    [byHost, 'x.new.example', 'token'],
    [byHost, 'paths.example', 'basic'],
    [byHost, 'plain.example', undefined],
    [byPort, 'anything.example', 'basic'],
  ] as const)
    assert.equal((await seenUpstream(port, [`Host: ${host}`, liar])).headers['x-caisson-challenge'], challenge, host)
})
