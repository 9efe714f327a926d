import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseDigest } from '../../../../registry/domain/digest.ts'
import { schema1FromV1 } from '../../../../registry/domain/schema1/from-v1.ts'
import { parseSchema1 } from '../../../../registry/domain/schema1/schema1.ts'

const [base, top] = ['a'.repeat(64), 'b'.repeat(64)]
const layers = [parseDigest(`sha256:${'1'.repeat(64)}`), parseDigest(`sha256:${'2'.repeat(64)}`)] as const
const fsLayers = layers.map((blobSum) => ({ blobSum })).toReversed()
const history = [step({ id: top, parent: base }), step({ id: base })]
const manifest = { schemaVersion: 1, name: 'hello', tag: '1', architecture: 'amd64', fsLayers, history }

test('a manifest is its layers and what docker knows of them, the top one first', () => {
  const parsed = parseSchema1(encoded(manifest))
  assert.deepEqual([parsed.name, parsed.tag, parsed.architecture], ['hello', '1', 'amd64'])
  assert.deepEqual(
    parsed.layers.map(({ blobSum }) => blobSum),
    layers.toReversed(),
  )
  assert.equal(parsed.layers[1]?.v1Compatibility, `{"id":"${base}"}`)
})

test('the same image twice, one on the other, is taken, as docker pushed it once', () => {
  const twice = { fsLayers: [...fsLayers, fsLayers[1]], history: [...history, history[1]] }
  assert.equal(parseSchema1(encoded({ ...manifest, ...twice })).layers.length, 3)
})

const refusals: readonly (readonly [change: object, message: string | RegExp])[] = [
  [{ schemaVersion: 2 }, 'schemaVersion: expected 1'],
  [{ name: 5 }, 'name: expected a text'],
  [{ fsLayers: [], history: [] }, 'fsLayers: expected at least one'],
  [{ fsLayers: [{}] }, /^fsLayers\[0\]\.blobSum: expected sha256/],
  [{ fsLayers: undefined }, /^fsLayers: expected a list/],
  [{ history: undefined }, /^history: expected a list/],
  [{ history: [history[0]] }, 'history: expected one for each of the 2 fsLayers, and there are 1'],
  [{ history: [{}, {}] }, /^history\[0\]\.v1Compatibility: expected a text that is a JSON object/],
  [{ history: [step('no object'), history[1]] }, /^history\[0\]\.v1Compatibility: expected a text that is/],
  [{ history: [step({ id: 'short' }), history[1]] }, 'history[0].v1Compatibility.id: expected 64 hex digits'],
  [
    { history: [step({ id: top, parent: top }), history[1]] },
    `history[0].v1Compatibility.parent: expected ${base}, the id of the next one`,
  ],
]
for (const [change, message] of refusals)
  test(`a manifest with ${JSON.stringify(change).slice(0, 60)} is refused, and it says why`, () => {
    assert.throws(() => parseSchema1(encoded({ ...manifest, ...change })), { code: 'MANIFEST_INVALID', message })
  })

test('images of the V1 API make a manifest, in the form of docker, with their JSON as it was', () => {
  const chain = [
    { json: Buffer.from(`{"id":"${base}" , "Size": 1.0}`), layer: layers[0] },
    { json: Buffer.from(`{"id":"${top}","parent":"${base}","architecture":"arm","author":"<é>"}`), layer: layers[1] },
  ]
  const payload = Buffer.from(schema1FromV1({ name: 'team/app', tag: 'v1' }, chain)).toString()
  assert.equal(
    payload,
    `{
   "schemaVersion": 1,
   "name": "team/app",
   "tag": "v1",
   "architecture": "arm",
   "fsLayers": [
      {
         "blobSum": "${layers[1]}"
      },
      {
         "blobSum": "${layers[0]}"
      }
   ],
   "history": [
      {
         "v1Compatibility": "{\\"id\\":\\"${top}\\",\\"parent\\":\\"${base}\\",\\"architecture\\":\\"arm\\",\\"author\\":\\"\\u003cé\\u003e\\"}"
      },
      {
         "v1Compatibility": "{\\"id\\":\\"${base}\\" , \\"Size\\": 1.0}"
      }
   ]
}`,
  )
  assert.equal(parseSchema1(Buffer.from(payload)).layers.length, 2)
})

test('without an architecture it is amd64, and short ids are refused', () => {
  const [layer] = layers
  const as = { name: 'a', tag: '1' }
  const payload = schema1FromV1(as, [{ json: Buffer.from(`{"id":"${base}"}`), layer }])
  assert.equal(parseSchema1(payload).architecture, 'amd64')
  const short = '0123456789abcdef'
  for (const json of [`{"id":"${short}"}`, `{"id":"${base}","parent":"${short}"}`])
    assert.throws(() => schema1FromV1(as, [{ json: Buffer.from(json), layer }]), {
      code: 'MANIFEST_INVALID',
      message: `the image ${short} has a short id: expected 64 hex digits`,
    })
  assert.throws(() => schema1FromV1(as, []), { code: 'MANIFEST_INVALID' })
})

function step(image: unknown) {
  return { v1Compatibility: JSON.stringify(image) }
}

function encoded(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value))
}
