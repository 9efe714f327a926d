import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { openBrokenUpstreamSite, v2Of, type BrokenUpstreamSite } from '../../helpers/broken-upstream-site.ts'
import { FaultyUpstream } from '../../helpers/faulty-upstream.ts'
import { pullOutcome, wordsFor } from '../../helpers/pull-outcome.ts'
import { requestFailures } from '../../helpers/request-failures.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'
import { makeCertificate } from '../../helpers/test-certificate.ts'
import { digestOfBytes, tinyImage } from '../../helpers/tiny-image.ts'
import { redirected, type Fault } from '../../helpers/upstream/faults.ts'

const image = tinyImage('one')
const [config = Buffer.alloc(0)] = image.blobs

async function pullBoth({ registry }: BrokenUpstreamSite): Promise<readonly string[]> {
  const paths = ['manifests/1', `blobs/${digestOfBytes(config)}`]
  const outcomes = paths.map((path) => pullOutcome(registry.socket, `${v2Of('hub')}/team/app/${path}`))
  return (await Promise.all(outcomes)).map(wordsFor)
}

function redirect(upstream: FaultyUpstream, fault: Fault): void {
  upstream.heal()
  for (const kind of ['manifest', 'blob'] as const) upstream.break(kind, fault)
}

test('what comes over TLS comes over it to the end, also where redirects lead', async () => {
  const tls = makeCertificate(['localhost'])
  await using directory = await temporaryDirectory()
  const ca = join(directory.path, 'ca.pem')
  await writeFile(ca, tls.cert)
  await using plain = await FaultyUpstream.start()
  await using secure = await FaultyUpstream.start({ tls })
  const remote = { url: secure.url, ca }
  await using site = await openBrokenUpstreamSite({ remote })
  for (const upstream of [plain, secure]) upstream.content.push('team/app', '1', image)

  redirect(
    secure,
    redirected((path) => `${plain.url}${path}`),
  )
  assert.deepEqual(await pullBoth(site), ['404 MANIFEST_UNKNOWN', '404 BLOB_UNKNOWN'])
  assert.deepEqual(plain.requests, [])
  redirect(
    secure,
    redirected((path) => `${secure.elsewhere.url}${path}`),
  )
  assert.deepEqual(await pullBoth(site), ['200 MISS', '200 MISS'])
  assert.deepEqual(requestFailures(site.registry), [])
})

for (const [title, location] of Object.entries({
  'a file': 'file:///etc/passwd',
  'a login in the URL': 'http://user:password@127.0.0.1:1/',
  nothing: '',
  'no URL': 'http://[::',
}))
  test(`a redirect to ${title} is not followed`, async () => {
    await using site = await openBrokenUpstreamSite()
    site.upstream.content.push('team/app', '1', image)
    redirect(
      site.upstream,
      redirected(() => location),
    )
    assert.deepEqual(await pullBoth(site), ['404 MANIFEST_UNKNOWN', '404 BLOB_UNKNOWN'])
    assert.deepEqual(requestFailures(site.registry), [])
  })
