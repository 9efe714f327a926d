import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { openBrokenUpstreamSite, v2Of } from '../../helpers/broken-upstream-site.ts'
import { allIsKept, nothingWrongIsKept } from '../../helpers/kept-content.ts'
import { descriptorsFallTo, openDescriptors } from '../../helpers/open-descriptors.ts'
import { pullOutcome, wordsFor, type PullOutcome } from '../../helpers/pull-outcome.ts'
import { requestFailures } from '../../helpers/request-failures.ts'
import { descriptor, digestOfBytes, tinyImage, type TinyImage } from '../../helpers/tiny-image.ts'
import {
  chunked,
  dripping,
  htmlPage,
  otherBytes,
  redirected,
  redirectLoop,
  reset,
  stalled,
  status,
  tooMany,
  truncated,
  withBody,
  withHeaders,
  withoutRanges,
  wrongLength,
  type Fault,
} from '../../helpers/upstream/faults.ts'

const site = await openBrokenUpstreamSite({ section: { limits: { manifestSize: '64KiB' } } })
after(() => site[Symbol.asyncDispose]())
const { upstream, registry, client } = site

/** What is asked for, and what of it is here: of a named blob, the manifest; of a moved tag, what it was on before. */
type Column = 'tag' | 'digest' | 'blob' | 'named blob' | 'cached tag' | 'moved tag' | 'cached digest' | 'cached blob'

const columns: readonly Column[] = [
  'tag',
  'digest',
  'blob',
  'named blob',
  'cached tag',
  'moved tag',
  'cached digest',
  'cached blob',
]
let images = 0

interface Row {
  readonly faults: readonly Fault[]
  /** How many answers are spoilt. Default: all. */
  readonly times?: number
  /** What everybody gets who asks for what is not here, but for those that are named. What is here by its digest is always a hit. */
  readonly otherwise: string
  readonly outcomes?: Partial<Record<Column, string>>
}

const elsewhere = redirected((path) => `${upstream.elsewhere.url}${path}`)
const unknown = 'unknown'
const kept = { 'cached tag': '200 HIT', 'moved tag': '200 STALE' }
const stale = { 'cached tag': '200 STALE', 'moved tag': '200 STALE' }
const right = { 'cached tag': '200 HIT', 'moved tag': '200 MISS' }
const broken = { blob: '200 broken', 'named blob': '200 broken' }
const resumed = { blob: '200 MISS', 'named blob': '200 MISS' }

const table: Readonly<Record<string, Row>> = {
  'cut off before its first byte': {
    faults: [truncated(0)],
    times: 2,
    otherwise: unknown,
    outcomes: { ...kept, ...resumed },
  },
  'cut off in the middle': {
    faults: [truncated(200)],
    times: 2,
    otherwise: unknown,
    outcomes: { ...kept, ...resumed },
  },
  'reset before its head': { faults: [reset('head')], otherwise: unknown, outcomes: stale },
  'reset in the middle': { faults: [reset(200)], times: 2, otherwise: unknown, outcomes: { ...kept, ...resumed } },
  'silent before its head': { faults: [stalled('head')], otherwise: unknown, outcomes: stale },
  'silent in the middle': { faults: [stalled(200)], times: 2, otherwise: unknown, outcomes: { ...kept, ...resumed } },
  dripping: { faults: [dripping(1, 20)], times: 2, otherwise: unknown, outcomes: { ...kept, ...resumed } },
  'of other bytes': { faults: [otherBytes], otherwise: unknown, outcomes: { ...kept, ...broken } },
  'announced longer than it is': {
    faults: [wrongLength(10)],
    times: 2,
    otherwise: unknown,
    outcomes: { ...kept, blob: '200 broken' },
  },
  'announced shorter than it is': {
    faults: [wrongLength(-10)],
    otherwise: unknown,
    outcomes: { ...kept, blob: '200 broken' },
  },
  'in chunks': { faults: [chunked], otherwise: '200 MISS', outcomes: right },
  'in chunks that break off': {
    faults: [chunked, truncated(200)],
    times: 2,
    otherwise: unknown,
    outcomes: { ...kept, ...resumed },
  },
  'broken off, and ranges unknown': {
    faults: [withoutRanges, reset(200)],
    times: 2,
    otherwise: unknown,
    outcomes: { ...kept, ...resumed },
  },
  '401 without a challenge': { faults: [status(401)], otherwise: unknown, outcomes: stale },
  '401 however often': {
    faults: [status(401, { 'www-authenticate': 'Basic realm="upstream"' })],
    otherwise: unknown,
    outcomes: stale,
  },
  '403': { faults: [status(403)], otherwise: unknown, outcomes: stale },
  '429': { faults: [tooMany()], otherwise: '429 TOOMANYREQUESTS', outcomes: stale },
  '429 for a second': { faults: [tooMany('1')], otherwise: '429 TOOMANYREQUESTS', outcomes: stale },
  '500': { faults: [status(500)], otherwise: unknown, outcomes: stale },
  '502 and a page': {
    faults: [status(502, { 'content-type': 'text/html' }, '<html>Bad Gateway</html>')],
    otherwise: unknown,
    outcomes: stale,
  },
  '503 for a second': {
    faults: [status(503, { 'retry-after': '1' })],
    otherwise: '429 TOOMANYREQUESTS',
    outcomes: stale,
  },
  'redirected to another host': { faults: [elsewhere], otherwise: '200 MISS', outcomes: right },
  'redirected for ever': { faults: [redirectLoop], otherwise: unknown, outcomes: stale },
  'redirected to what is no URL': { faults: [redirected(() => 'http://[')], otherwise: unknown, outcomes: stale },
  'a page, and 200': { faults: [htmlPage], otherwise: unknown, outcomes: stale },
  'larger than a manifest may be': {
    faults: [withBody('{"schemaVersion":2}'.padEnd(64 * 1024 + 1))],
    otherwise: unknown,
    outcomes: { ...kept, blob: '200 broken' },
  },
  'of another media type than its body': {
    faults: [withHeaders({ 'content-type': 'application/vnd.oci.image.index.v1+json' })],
    otherwise: unknown,
    outcomes: { ...kept, ...resumed },
  },
  'JSON that nests deep': {
    faults: [withBody('['.repeat(30_000) + ']'.repeat(30_000))],
    otherwise: unknown,
    outcomes: { ...kept, blob: '200 broken' },
  },
  'with a digest that lies': {
    faults: [withHeaders({ 'docker-content-digest': digestOfBytes('another') })],
    otherwise: '200 MISS',
    // By 304 it says that the tag is on what is here.
    outcomes: { tag: unknown, ...kept },
  },
  // After all others: the registry asks this upstream again, as if nothing had been.
  'as it should be': { faults: [], otherwise: '200 MISS', outcomes: right },
}

for (const [title, row] of Object.entries(table))
  test(`an answer that is ${title}`, async () => {
    const cases = await Promise.all(columns.map(prepare))
    await allIsKept(registry)
    for (const kind of ['manifest', 'blob'] as const)
      for (const fault of row.faults) upstream.break(kind, onEachPath(fault, row.times))
    const outcomes = await Promise.all(cases.map(pull))
    upstream.heal()
    assert.deepEqual(
      outcomes.map((outcome, index) => `${columns[index]}: ${wordsFor(outcome)}`),
      columns.map((column) => `${column}: ${expected(row, column)}`),
    )
    outcomes.forEach((outcome, index) => assertRight(outcome, cases[index]))
    await nothingWrongIsKept(registry.dataDirectory)
    for (const one of cases) await comesRight(one)
    await nothingWrongIsKept(registry.dataDirectory)
    await allIsKept(registry)
  })

test('none of these was a failure of the registry, and nothing is left open', async () => {
  assert.deepEqual(requestFailures(registry), [])
  await descriptorsFallTo(0, (name) => name.includes('/data/uploads'))
  assert.ok(openDescriptors().length < 100, openDescriptors().join(', '))
})

interface Case {
  readonly path: string
  readonly now: Buffer
  /** What a moved tag was on. */
  readonly before: Buffer
}

/** An image of its own, of which as much is here as the column says. */
async function prepare(column: Column): Promise<Case> {
  const name = `images/number-${++images}`
  const one = push(name, `first of ${name}`)
  if (column === 'named blob' || column.startsWith('cached') || column === 'moved tag')
    await client.ask('GET', `${name}/manifests/1`)
  const now = column === 'moved tag' ? push(name, `second of ${name}`) : one
  const [layer = Buffer.alloc(0)] = now.blobs.slice(1)
  const path = {
    tag: 'manifests/1',
    digest: `manifests/${now.digest}`,
    blob: `blobs/${digestOfBytes(layer)}`,
  }[column.split(' ').at(-1) as 'tag' | 'digest' | 'blob']
  if (column === 'cached blob') await client.ask('GET', `${name}/${path}`)
  const bodies = column.endsWith('blob') ? { now: layer, before: layer } : { now: now.manifest, before: one.manifest }
  return { path: `${v2Of('hub')}/${name}/${path}`, ...bodies }
}

function push(name: string, content: string): TinyImage {
  const [config = Buffer.alloc(0)] = tinyImage(content).blobs
  const layer = Buffer.alloc(20_000, `${content}.`)
  const layers = [descriptor('application/vnd.oci.image.layer.v1.tar', layer)]
  const image = { ...tinyImage(content, { layers }), blobs: [config, layer] }
  upstream.content.push(name, '1', image)
  return image
}

/** So that what goes wrong does not depend on who asks first. */
function onEachPath(fault: Fault, times = Infinity): Fault {
  const spoilt = new Map<string, number>()
  return (answer, path) => {
    const before = spoilt.get(path) ?? 0
    spoilt.set(path, before + 1)
    return before < times ? fault(answer, path) : answer
  }
}

async function pull({ path }: Case): Promise<PullOutcome> {
  return await pullOutcome(registry.socket, path)
}

function expected(row: Row, column: Column): string {
  const words = row.outcomes?.[column] ?? (column.startsWith('cached') ? '200 HIT' : row.otherwise)
  if (words !== unknown) return words
  return column.endsWith('blob') ? '404 BLOB_UNKNOWN' : '404 MANIFEST_UNKNOWN'
}

function assertRight(outcome: PullOutcome, { now, before }: Case = assert.fail('there is one for each column')): void {
  const { headers, body, isWhole } = outcome
  if (!isWhole) assert.ok(body.length < Number(headers['content-length']))
  else if (outcome.status === 200) assert.ok(body.equals(headers['x-cache'] === 'STALE' ? before : now))
}

/** At once, unless the upstream has asked to be left alone: for five seconds, when it does not say for how long. */
async function comesRight(one: Case): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const outcome = await pull(one)
    assertRight(outcome, one)
    if (outcome.isWhole && outcome.status === 200) return
    assert.ok(outcome.status === 429 && attempt < 100, `${wordsFor(outcome)}: ${outcome.body.toString()}`)
    await pause(100)
  }
}
