import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { z } from 'zod'
import type { Answer } from '../../helpers/registry-client.ts'
import { startTestRegistry } from '../../helpers/registry.ts'
import { descriptor, digestOfBytes, ociManifest, tinyImage, type TinyImage } from '../../helpers/tiny-image.ts'

const registry = await startTestRegistry()
after(() => registry[Symbol.asyncDispose]())
const { admin, anonymous } = registry

const ociIndex = 'application/vnd.oci.image.index.v1+json'
const indexForm = z.strictObject({
  schemaVersion: z.literal(2),
  mediaType: z.literal(ociIndex),
  manifests: z.array(z.record(z.string(), z.unknown())),
})

const subject = tinyImage('subject')
const subjectDescriptor = descriptor(ociManifest, subject.manifest)
const sbom = refersTo('sbom', { artifactType: 'application/x.sbom', annotations: { 'org.example.tool': 'a' } })
const signature = refersTo('signature', { artifactType: 'application/x.signature' })
const plain = refersTo('plain', {})
await admin.push('app', '1', subject)
for (const referrer of [sbom, signature, plain]) await admin.push('app', referrer.digest, referrer)

test('what refers to a manifest is listed, with its artifact type and its annotations', async () => {
  const answer = await anonymous.ask('GET', `app/referrers/${subject.digest}`)
  assert.equal(answer.status, 200)
  assert.equal(answer.headers['content-type'], ociIndex)
  assert.equal(answer.headers['content-length'], String(answer.body.length))
  assert.equal(answer.headers['oci-filters-applied'], undefined)
  assert.deepEqual(
    listed(answer),
    [
      { ...of(sbom), artifactType: 'application/x.sbom', annotations: { 'org.example.tool': 'a' } },
      { ...of(signature), artifactType: 'application/x.signature' },
      { ...of(plain), artifactType: 'application/vnd.oci.image.config.v1+json' },
    ].sort((one, other) => (one.digest < other.digest ? -1 : 1)),
  )
})

test('only referrers of one artifact type are listed, and the answer says so', async () => {
  const type = encodeURIComponent('application/x.signature')
  const answer = await anonymous.ask('GET', `app/referrers/${subject.digest}?artifactType=${type}`)
  assert.equal(answer.headers['oci-filters-applied'], 'artifactType')
  assert.deepEqual(
    listed(answer).map(({ digest }) => digest),
    [signature.digest],
  )
  const none = await anonymous.ask('GET', `app/referrers/${subject.digest}?artifactType=other`)
  assert.deepEqual(listed(none), [])
})

test('a subject that nothing refers to, was never pushed, or is of an image that is not there has an empty index', async () => {
  for (const path of [
    `app/referrers/${sbom.digest}`,
    `app/referrers/${digestOfBytes('never')}`,
    `no/referrers/${subject.digest}`,
  ]) {
    const answer = await anonymous.ask('GET', path)
    assert.equal(answer.status, 200)
    assert.deepEqual(listed(answer), [])
  }
})

test('HEAD has the headers of GET and no body', async () => {
  const [get, head] = [
    await anonymous.ask('GET', `app/referrers/${subject.digest}`),
    await anonymous.ask('HEAD', `app/referrers/${subject.digest}`),
  ]
  assert.deepEqual([head.status, head.headers['content-type'], head.body.length], [200, ociIndex, 0])
  assert.equal(head.headers['content-length'], get.headers['content-length'])
})

test('what is no digest is refused, as the subject and as the end of the last page', async () => {
  for (const path of ['app/referrers/latest', `app/referrers/${subject.digest}?last=latest`]) {
    const answer = await anonymous.ask('GET', path)
    assert.deepEqual([answer.status, answer.error()], [400, 'DIGEST_INVALID'])
  }
})

test('the link to the next page is for the client: by the name that it asked by', async () => {
  const list = `docker-local/app/referrers/${subject.digest}`
  const { headers } = await anonymous.at('/v2').ask('GET', `${list}?n=1&artifactType=application%2Fx.sbom`)
  assert.equal(headers.link, undefined)
  const page = await anonymous.at('/v2').ask('GET', `${list}?n=1`)
  const last = encodeURIComponent(String(listed(page)[0]?.digest))
  assert.equal(page.headers.link, `<http://registry.test/v2/${list}?n=1&last=${last}>; rel="next"`)
})

test('pages of any size hold every referrer once, also of one artifact type', async () => {
  for (const [filter, wanted] of [
    ['', 3],
    ['artifactType=application%2Fx.sbom&', 1],
  ] as const) {
    const found: unknown[] = []
    let next: string | undefined = `app/referrers/${subject.digest}?${filter}n=1`
    while (next !== undefined) {
      const answer = await anonymous.ask('GET', next)
      const page = listed(answer)
      assert.ok(page.length <= 1)
      found.push(...page.map(({ digest }) => digest))
      next = /^<([^>]+)>; rel="next"$/.exec(String(answer.headers.link ?? ''))?.[1]
    }
    assert.equal(new Set(found).size, wanted)
    assert.equal(found.length, wanted)
  }
})

test('a page of huge manifests ends early, and the next goes on', async () => {
  const huge = { annotations: { huge: 'x'.repeat(3 * 1024 * 1024) } }
  const target = tinyImage('target of huge ones')
  const referrers = ['one', 'two', 'three'].map((name) => refersTo(name, huge, target))
  for (const referrer of referrers) await admin.push('huge', referrer.digest, referrer)
  let [pages, found] = [0, 0]
  let next: string | undefined = `huge/referrers/${target.digest}`
  while (next !== undefined) {
    const answer = await anonymous.ask('GET', next)
    pages += 1
    found += listed(answer).length
    next = /^<([^>]+)>; rel="next"$/.exec(String(answer.headers.link ?? ''))?.[1]
  }
  assert.deepEqual([pages, found], [3, 3])
})

test('a manifest with a subject is acknowledged with it, whether the subject is there or not', async () => {
  for (const target of [subject, tinyImage('never pushed')]) {
    const referrer = refersTo(`for ${target.digest}`, {}, target)
    for (const blob of referrer.blobs) await admin.pushBlob('app', blob)
    const answer = await admin.putManifest('app', referrer.digest, referrer)
    assert.deepEqual([answer.status, answer.headers['oci-subject']], [201, target.digest])
  }
  const without = await admin.putManifest('app', '1', subject)
  assert.equal(without.headers['oci-subject'], undefined)
})

test('an index can refer to a subject', async () => {
  const target = tinyImage('subject of an index')
  const body = {
    schemaVersion: 2,
    mediaType: ociIndex,
    manifests: [],
    subject: descriptor(ociManifest, target.manifest),
  }
  const manifest = Buffer.from(JSON.stringify({ ...body, artifactType: 'application/x.list' }))
  const index = { mediaType: ociIndex, manifest, digest: digestOfBytes(manifest), blobs: [] }
  const pushed = await admin.putManifest('app', 'list', index)
  assert.equal(pushed.headers['oci-subject'], target.digest)
  const answer = await anonymous.ask('GET', `app/referrers/${target.digest}`)
  assert.deepEqual(listed(answer), [{ ...of(index), artifactType: 'application/x.list' }])
})

test('of what a client has listed by the referrers tag schema, what has the subject is listed, and once', async () => {
  const target = tinyImage('target of a tag')
  const [referrer, other] = [refersTo('listed in a tag', {}, target), tinyImage('no referrer')]
  for (const image of [referrer, other]) await admin.push('tagged', image.digest, image)
  const body = { schemaVersion: 2, mediaType: ociIndex, manifests: [of(referrer), of(other)] }
  const list = Buffer.from(JSON.stringify(body))
  const index = { mediaType: ociIndex, manifest: list, digest: digestOfBytes(list), blobs: [] }
  assert.equal((await admin.putManifest('tagged', target.digest.replace(':', '-'), index)).status, 201)
  const answer = await anonymous.ask('GET', `tagged/referrers/${target.digest}`)
  assert.deepEqual(
    listed(answer).map(({ digest }) => digest),
    [referrer.digest],
  )
})

test('a deleted referrer is no longer listed', async () => {
  const target = tinyImage('left alone')
  const referrer = refersTo('deleted', {}, target)
  await admin.push('app', referrer.digest, referrer)
  assert.equal((await admin.ask('DELETE', `app/manifests/${referrer.digest}`)).status, 202)
  assert.deepEqual(listed(await anonymous.ask('GET', `app/referrers/${target.digest}`)), [])
})

function refersTo(content: string, more: Readonly<Record<string, unknown>>, target: TinyImage = subject): TinyImage {
  return tinyImage(content, {
    ...more,
    subject: target === subject ? subjectDescriptor : descriptor(ociManifest, target.manifest),
  })
}

function of({ mediaType, digest, manifest }: TinyImage) {
  return { mediaType, digest, size: manifest.length }
}

function listed(answer: Answer) {
  return indexForm.parse(answer.json()).manifests
}
