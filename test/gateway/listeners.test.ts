import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import type { RequestListener, ServerResponse } from 'node:http'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { connect, createSecureContext, type TLSSocket } from 'node:tls'
import { randomBytes } from 'node:crypto'
import { RawConnection } from '../helpers/raw-connection.ts'
import { certificate, runGateway } from '../helpers/running-gateway.ts'
import { makeCertificate, serveCertificate } from '../helpers/test-certificate.ts'

const ok: RequestListener = (_request, response) => response.end('ok')
const get = (path: string, host = 'localhost') => `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`

test('an unknown host is answered 404 in the form of a registry, naming the host and the lines that would map it', async () => {
  await using running = await runGateway({ upstream: ok, config: { listeners: [{ port: 0 }] } })
  await using client = await RawConnection.open(running.port)
  const answer = await client.send(get('/v2/', 'new.example:8443')).answer()
  assert.equal(answer.status, 404)
  assert.equal(answer.header('docker-distribution-api-version'), 'registry/2.0')
  assert.deepEqual(answer.json(), {
    errors: [
      {
        code: 'NAME_UNKNOWN',
        message:
          'no repository is mapped to the host "new.example"; to map one, add to caisson.yaml:\ngateway:\n  hosts:\n    new.example: docker-local',
      },
    ],
  })
})

test('HEAD to an unknown host has no body, and the connection goes on', async () => {
  await using running = await runGateway({ upstream: ok, config: { listeners: [{ port: 0 }] } })
  await using client = await RawConnection.open(running.port)
  client.send(get('/v2/', 'new.example').replace('GET', 'HEAD'), get('/ca.crt', 'new.example'), 'x')
  await client.receive(1200)
  client.socket.end()
  const said = (await client.rest()).toString()
  assert.match(said, /^HTTP\/1\.1 404 [^{]*?\r\n\r\nHTTP\/1\.1 200 OK/s)
})

test('a path that leads nowhere is answered 404, and nothing is asked of the upstream', async () => {
  await using running = await runGateway()
  await using client = await RawConnection.open(running.port)
  assert.equal((await client.send(get('/favicon.ico')).answer()).status, 404)
})

test('on a port with V1 alone nothing says that there is V2, so that docker goes on to V1', async () => {
  await using running = await runGateway({ upstream: ok, config: { listeners: [{ port: 0, v1: 'docker-v1' }] } })
  await using client = await RawConnection.open(running.port)
  const answer = await client.send(get('/v2/')).answer()
  assert.equal(answer.status, 404)
  assert.equal(answer.header('docker-distribution-api-version'), undefined)
})

test('the authority is handed out on every host, in clear too, and 404 when it is somebody else’s', async () => {
  const config = { listeners: [{ port: 0 }, { port: 0, tls: false, redirect: 'https' as const }] }
  await using running = await runGateway({ config })
  for (const [index, how] of (['tls', 'plain'] as const).entries()) {
    await using client = await RawConnection.open(running.ports[index] ?? 0, how)
    const answer = await client.send(get('/ca.crt', 'nobody.example')).answer()
    assert.equal(answer.header('content-type'), 'application/x-x509-ca-cert')
    assert.equal(answer.body.toString(), certificate.cert)
  }
  const foreign = { ...serveCertificate(certificate), authority: () => undefined }
  await using other = await runGateway({ certificates: foreign })
  await using client = await RawConnection.open(other.port)
  assert.equal((await client.send(get('/ca.crt')).answer()).status, 404)
})

test('redirect: https leads to the first port with TLS, with the target as it was sent', async () => {
  const config = { listeners: [{ port: 0, tls: false, redirect: 'https' as const }, { port: 0 }] }
  await using running = await runGateway({ config })
  const [plain = 0, secure = 0] = running.ports
  for (const host of ['registry.example', '[::1]']) {
    await using client = await RawConnection.open(plain, 'plain')
    const answer = await client.send(get('/v2/x/tags/list?n=1&last=%41', `${host}:${plain}`)).answer()
    assert.equal(answer.status, 308)
    assert.equal(answer.header('location'), `https://${host}:${secure}/v2/x/tags/list?n=1&last=%41`)
  }
})

test('a port in use is named together with the key that changes it, and what was taken is given back', async () => {
  const other = createServer().listen(0)
  await once(other, 'listening')
  const address = other.address()
  const taken = typeof address === 'object' && address ? address.port : 0
  const config = { listeners: [{ port: 0 }, { port: taken }] }
  await assert.rejects(runGateway({ config }), {
    message: `port ${taken} is in use by another program; change gateway.listeners[1].port in caisson.yaml`,
  })
  other.close()
})

test('the server name chooses the certificate, and a client without one gets the fallback', async () => {
  const special = makeCertificate(['special.example'])
  const [usual, other] = [createSecureContext(certificate), createSecureContext(special)]
  const contextFor = (name: string) => (name === 'special.example' ? other : usual)
  await using running = await runGateway({ certificates: { ...serveCertificate(certificate), contextFor } })
  const subjects = await Promise.all(
    ['special.example', 'localhost', undefined].map(async (servername) => {
      await using client = await RawConnection.open(running.port, 'tls', servername === undefined ? {} : { servername })
      return (client.socket as TLSSocket).getPeerCertificate().subject.CN
    }),
  )
  assert.deepEqual(subjects, ['special.example', 'localhost', 'localhost'])
})

test('a client that offers HTTP/1.0 alone, as curl --http1.0 does, is served', async () => {
  await using running = await runGateway({ upstream: ok })
  await using client = await RawConnection.open(running.port, 'tls', { ALPNProtocols: ['http/1.0'] })
  const answer = await client.send('GET /v2/ HTTP/1.0\r\nHost: localhost\r\n\r\n').answer()
  assert.equal(answer.status, 200)
})

test('a renewed fallback is used for new connections', async () => {
  let current = certificate
  let changed = () => {}
  const certificates = {
    ...serveCertificate(certificate),
    fallback: () => current,
    onChange: (listener: () => void) => (changed = listener),
  }
  await using running = await runGateway({ certificates })
  current = makeCertificate(['renewed.example'])
  changed()
  await using client = await RawConnection.open(running.port)
  assert.equal((client.socket as TLSSocket).getPeerCertificate().subject.CN, 'renewed.example')
})

test('a session is resumed by another worker with the same ticket keys, and not after they were changed', async () => {
  await using first = await runGateway({ upstream: ok })
  await using second = await runGateway({ upstream: ok })
  const keys = randomBytes(48)
  first.gateway.setTicketKeys(keys)
  second.gateway.setTicketKeys(keys)
  const session = await sessionOf(first.port)
  assert.equal(await resumes(second.port, session), true)
  second.gateway.setTicketKeys(randomBytes(48))
  assert.equal(await resumes(second.port, session), false)
})

test('a stop lets the transfer in flight finish, accepts nothing new and closes what is idle', async () => {
  const begun = Promise.withResolvers<ServerResponse>()
  await using running = await runGateway({
    config: { drainSeconds: 60 },
    upstream: (request, response) => {
      if (request.url?.endsWith('/slow')) begun.resolve(response)
      else response.end('ok')
    },
  })
  await using idle = await RawConnection.open(running.port)
  assert.equal((await idle.send(get('/v2/')).answer()).status, 200)
  await using busy = await RawConnection.open(running.port)
  busy.send(get('/v2/slow'))
  const response = await begun.promise
  response.write('first ')

  const stopped = running.gateway.stop()
  assert.equal((await idle.rest()).length, 0)
  await assert.rejects(RawConnection.open(running.port), { code: 'ECONNREFUSED' })
  response.end('second')
  assert.equal((await busy.answer()).body.toString(), 'first second')
  await stopped
})

test('during a stop an answer that begins says that the connection ends', async () => {
  const begun = Promise.withResolvers<ServerResponse>()
  await using running = await runGateway({
    config: { drainSeconds: 60 },
    upstream: (_request, response) => begun.resolve(response),
  })
  await using busy = await RawConnection.open(running.port)
  busy.send(get('/v2/slow'))
  const response = await begun.promise
  const stopped = running.gateway.stop()
  response.end('late')
  const answer = await busy.answer()
  assert.equal(answer.header('connection'), 'close')
  await stopped
})

test('a transfer that does not finish is broken off when the time to drain is over', async () => {
  const begun = Promise.withResolvers<undefined>()
  await using running = await runGateway({
    config: { drainSeconds: 0 },
    upstream: (_request, response) => {
      response.writeHead(200, { 'Content-Length': 100_000 })
      response.write('part', () => begun.resolve(undefined))
    },
  })
  await using client = await RawConnection.open(running.port)
  client.send(get('/v2/x'))
  await begun.promise
  await running.gateway.stop()
  assert.equal((await client.answer()).complete, false)
})

test('the place of the access log must be writable', async () => {
  await using running = await runGateway()
  const blocked = join(running.directory, 'file')
  await writeFile(blocked, '')
  await assert.rejects(
    runGateway({ config: { accessLog: { file: join(blocked, 'access.log') } } }),
    /the access log cannot be written: .*file.*; change gateway\.accessLog\.file/,
  )
})

async function sessionOf(port: number): Promise<Buffer> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, servername: 'localhost' })
  const [session] = (await once(socket, 'session')) as [Buffer]
  socket.destroy()
  return session
}

async function resumes(port: number, session: Buffer): Promise<boolean> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, servername: 'localhost', session })
  await once(socket, 'secureConnect')
  const reused = socket.isSessionReused()
  socket.destroy()
  return reused
}
