import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import { afterEach, after, beforeEach, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { openBrokenUpstreamSite, v2Of } from '../../helpers/broken-upstream-site.ts'
import { nothingWrongIsKept } from '../../helpers/kept-content.ts'
import { descriptorsFallTo, openDescriptors } from '../../helpers/open-descriptors.ts'
import { pullOutcome, wordsFor, type PullOutcome } from '../../helpers/pull-outcome.ts'
import { requestFailures } from '../../helpers/request-failures.ts'
import { digestOfBytes } from '../../helpers/tiny-image.ts'
import { gate, otherBytes, reset, status, wrongLength } from '../../helpers/upstream/faults.ts'

const site = await openBrokenUpstreamSite()
after(() => site[Symbol.asyncDispose]())
const { upstream, registry } = site
const crowd = 32
const size = 3_000_000
const digest = await upstream.content.pattern('any', size)
let images = 0
let image = ''
let path = ''
let open = 0

beforeEach(() => {
  upstream.heal()
  image = `images/number-${++images}`
  path = `${v2Of('hub')}/${image}/blobs/${digest}`
  const body = upstream.content.image('any').blobs.get(digest)
  assert.ok(body)
  upstream.content.image(image).blobs.set(digest, body)
  open = openDescriptors().length
})

afterEach(async () => {
  upstream.heal()
  const healed = await pullOutcome(registry.socket, path)
  assert.deepEqual([healed.status, digestOfBytes(healed.body)], [200, digest])
  await nothingWrongIsKept(registry.dataDirectory)
  assert.deepEqual(await registry.uploads(), [])
  assert.deepEqual(requestFailures(registry), [])
  // Connections to the upstream are kept, a few of them.
  await descriptorsFallTo(open + 8)
  // The next image fetches it for itself.
  const removed = await registry.admin.ask('DELETE', `/artifactory/hub/${image}`)
  assert.equal(removed.status, 204)
})

const all = (): Promise<readonly PullOutcome[]> =>
  Promise.all(Array.from({ length: crowd }, () => pullOutcome(registry.socket, path)))
const gets = () => upstream.requests.filter(({ method, url }) => method === 'GET' && url.includes(`${image}/blobs/`))

async function reading(): Promise<IncomingMessage> {
  const sent = request({ socketPath: registry.socket, path, agent: false, headers: { host: 'registry.test' } })
  sent.end()
  const [message] = (await once(sent, 'response')) as [IncomingMessage]
  message.on('error', () => undefined)
  return message
}

test('all get a blob whose transfer breaks off and goes on, from one transfer', async () => {
  upstream.break('blob', reset(900_000), 3)
  for (const outcome of await all())
    assert.deepEqual([wordsFor(outcome), digestOfBytes(outcome.body)], ['200 MISS', digest])
  const starts = gets().map(({ headers }) => Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0))
  assert.equal(starts.length, 4)
  assert.deepEqual(
    starts,
    [...new Set(starts)].sort((one, other) => one - other),
  )
})

test('all are told when a transfer breaks off and does not go on; the next one does', async () => {
  upstream.break('blob', reset(1_500_000), 1)
  upstream.break('blob', (answer, url) => (gets().length > 1 ? status(403)(answer, url) : answer))
  const outcomes = await all()
  // Who comes after that has an answer of its own.
  for (const outcome of outcomes) assert.match(wordsFor(outcome), /^(200 broken|404 BLOB_UNKNOWN)$/)
  assert.ok(outcomes.some((outcome) => wordsFor(outcome) === '200 broken'))
  assert.equal((await registry.uploads()).length, 1)
  upstream.heal()
  assert.equal(wordsFor(await pullOutcome(registry.socket, path)), '200 MISS')
  assert.match(gets().at(-1)?.headers.range ?? '', /^bytes=[1-9]\d+-$/)
})

for (const [title, fault] of [
  ['of other bytes', otherBytes],
  ['that is shorter than announced', wrongLength(-10)],
  ['that ends in the middle, longer than announced', wrongLength(10)],
] as const)
  test(`nobody gets all of a blob ${title}`, async () => {
    upstream.break('blob', fault)
    for (const outcome of await all()) {
      assert.notEqual(wordsFor(outcome), '200 MISS')
      assert.ok(outcome.body.length < Number(outcome.headers['content-length']))
    }
    assert.deepEqual(await registry.uploads(), [])
  })

test('a transfer goes on for who stays, and when all have left', async () => {
  const held = gate(1_000_000)
  upstream.break('blob', held.fault)
  const leaving = await Promise.all(Array.from({ length: crowd - 1 }, reading))
  const stays = pullOutcome(registry.socket, path)
  await held.reached
  for (const message of leaving) message.destroy()
  held.open()
  const outcome = await stays
  assert.deepEqual([wordsFor(outcome), digestOfBytes(outcome.body)], ['200 MISS', digest])
  assert.equal(gets().length, 1)

  await registry.admin.ask('DELETE', `/artifactory/hub/${image}`)
  const second = gate(1_000_000)
  upstream.heal()
  upstream.break('blob', second.fault)
  for (const message of await Promise.all(Array.from({ length: 4 }, reading))) message.destroy()
  await second.reached
  second.open()
  while ((await registry.uploads()).length > 0) await setImmediate()
  assert.match(wordsFor(await pullOutcome(registry.socket, path)), /^200 (HIT|MISS)$/)
  assert.equal(gets().length, 2)
})

test('who reads slowly gets it all when the others have long been done', async () => {
  const held = gate(1_000_000)
  upstream.break('blob', held.fault)
  const slow = await reading()
  const others = all()
  await held.reached
  held.open()
  for (const outcome of await others) assert.equal(digestOfBytes(outcome.body), digest)
  const chunks: Buffer[] = []
  for await (const chunk of slow) chunks.push(chunk as Buffer)
  assert.equal(digestOfBytes(Buffer.concat(chunks)), digest)
})
