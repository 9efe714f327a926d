import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { parseDigest } from '../../../../registry/domain/digest.ts'
import { emptyLayer, emptyLayerDigest } from '../../../../registry/domain/schema1/empty-layer.ts'
import { schema1FromConfig } from '../../../../registry/domain/schema1/from-config.ts'
import { goTime } from '../../../../registry/domain/schema1/go-time.ts'
import { parseSchema1, type Schema1 } from '../../../../registry/domain/schema1/schema1.ts'

const [a, b] = [parseDigest(`sha256:${'a'.repeat(64)}`), parseDigest(`sha256:${'b'.repeat(64)}`)]
const rootfs = { type: 'layers', diff_ids: [a, b] }

test('an image has the manifest that distribution makes of it, to the octet', () => {
  const awkward = String.raw`{"architecture":"amd64", "config":{"Env":["A=<b>&\u0026","U=${'\u2028'}\u2028é😀"],"Memory":12345678901234567890.50,"Cpu":1e3,"x":-0.0},
 "os":"linux","created":"2024-03-01T10:20:30.120000000+00:00","z\u003c":null,"a":[ 1 , {"k" : "sp ace"} ],
 "id":"gone","rootfs":{"type":"layers","diff_ids":["${a}","${b}"]},
 "history":[{"created":"2024-03-01T10:20:30.123456700+02:00","created_by":"/bin/sh -c #(nop) ADD file:x in / && \"q\" <\u0001\t>"},
 {"created_by":"CMD [\"sh\"]","empty_layer":true,"author":"Jo <jo@example.com>","comment":"c${'\u2029'}"},
 {"created":"2024-03-01T10:20:30Z","created_by":"RUN x"}]}`
  // Both from a program with github.com/docker/distribution 2.8.2: this digest of the payload, and these ids.
  assert.equal(hash('sha256', payloadOf(awkward)), 'dd42000f9e160a930c854bf1d6ff82fb5afa70a4e642e1543e37bd3ac6414105')
  const [, empty, base] = idsIn(parseSchema1(payloadOf(awkward)))
  assert.equal(base, 'c062d9a693abb41c29d9fafa4d9c3f5952df91e5b6baa8a340aece4189fe44e3')
  assert.equal(empty, '5ffb0f3e3fd035a84e773319f264868e1f97b8a655918dc96920ed0e4b429918')
})

test('ids follow from layers, from what they are on, and at the top from the configuration', () => {
  const history = [{ created_by: 'ADD' }, { created_by: 'CMD', empty_layer: true }, { created_by: 'RUN' }]
  const config = JSON.stringify({ architecture: 'arm', rootfs, history })
  const converted = parseSchema1(payloadOf(config))
  const base = hash('sha256', `${'a'.repeat(64)} `)
  const empty = hash('sha256', `${emptyLayerDigest.slice(7)} ${base}`)
  const top = hash('sha256', `${'b'.repeat(64)} ${empty} ${config}`)
  assert.deepEqual(idsIn(converted), [top, empty, base])
  assert.deepEqual(
    converted.layers.map(({ blobSum }) => blobSum),
    [b, emptyLayerDigest, a],
  )
  assert.deepEqual([converted.name, converted.tag, converted.architecture], ['library/hello', '1.0', 'arm'])
  assert.equal(`sha256:${hash('sha256', emptyLayer)}`, emptyLayerDigest)
})

test('a last step without a layer is thrown away by those who pull, and so said', () => {
  const history = [{}, {}, { empty_layer: true }]
  const [top] = parseSchema1(payloadOf(JSON.stringify({ rootfs, history }))).layers
  assert.match(top?.v1Compatibility ?? '', /^\{"id":"[0-9a-f]{64}","parent":"[0-9a-f]{64}","throwaway":true\}$/)
})

test('whatever the configuration has, the manifest is one that docker pulls', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.string({ unit: 'binary' }), (others, by) => {
      const history = [{ created_by: by }, { comment: by, author: by, empty_layer: true }, {}]
      const config = JSON.stringify({ ...others, architecture: 'amd64', rootfs, history })
      assert.equal(parseSchema1(payloadOf(config)).layers.length, 3)
      assert.deepEqual(payloadOf(config), payloadOf(config))
    }),
  )
})

const refusals: readonly (readonly [config: unknown, problem: RegExp])[] = [
  ['not an object', /is no JSON object/],
  [{ rootfs }, /has no history/],
  [{ rootfs, history: [] }, /has no history/],
  [{ rootfs, history: [{}] }, /^it has 2 layers, its configuration 2, and its history 1$/],
  [{ rootfs, history: [{}, {}, {}] }, /its history 3$/],
  [{ history: [{}, {}] }, /its configuration 0/],
  [{ rootfs: { diff_ids: [a] }, history: [{}, {}] }, /its configuration 1/],
  [{ rootfs, history: [{}, 'step'] }, /none that docker writes/],
  [{ rootfs, history: [{}, { created_by: 5 }] }, /none that docker writes/],
  [{ rootfs, history: [{}, { created: 'yesterday' }] }, /none that docker writes/],
  [{ rootfs, history: [{}, { empty_layer: 'yes' }] }, /none that docker writes/],
  [{ architecture: 5, rootfs, history: [{}, {}] }, /architecture that is no text/],
]
for (const [config, expected] of refusals)
  test(`${JSON.stringify(config).slice(0, 90)} cannot be told in schema 1`, () => {
    const converted = convert(JSON.stringify(config))
    assert.match('problem' in converted ? converted.problem : '', expected)
  })

test('times are written as Go writes them', () => {
  for (const [read, written] of [
    [undefined, '0001-01-01T00:00:00Z'],
    ['2024-03-01T10:20:30Z', '2024-03-01T10:20:30Z'],
    ['2024-03-01T10:20:30.000Z', '2024-03-01T10:20:30Z'],
    ['2024-03-01T10:20:30.1200-07:00', '2024-03-01T10:20:30.12-07:00'],
    ['2024-03-01T10:20:30.1234567899+00:00', '2024-03-01T10:20:30.123456789Z'],
    ['2024-13-01T10:20:30Z', undefined],
    ['2024-03-01', undefined],
    [1709288430, undefined],
  ] as const)
    assert.equal(goTime(read), written, String(read))
})

function convert(config: string) {
  return schema1FromConfig({ name: 'library/hello', tag: '1.0', config: Buffer.from(config), layers: [a, b] })
}

function payloadOf(config: string): Uint8Array {
  const converted = convert(config)
  return 'payload' in converted ? converted.payload : assert.fail(converted.problem)
}

function idsIn({ layers }: Schema1): readonly unknown[] {
  return layers.map(({ v1Compatibility }) => (JSON.parse(v1Compatibility) as { readonly id: unknown }).id)
}
