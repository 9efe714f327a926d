import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { cut, formatLine, parseLine } from '../../../registry/audit/audit-lines.ts'
import { parseDigest } from '../../../registry/domain/digest.ts'
import { isRepositoryKey, parseImageName, parseTag } from '../../../registry/domain/names.ts'
import { plain } from './audit-logs.ts'

const at = new Date('2026-11-24T20:31:47.255Z')
const repository = 'docker-local'
assert.ok(isRepositoryKey(repository))

test('a line has the time first, in ISO 8601, and leaves out what is not known', () => {
  assert.equal(
    formatLine({
      type: 'pushed',
      at,
      digest: parseDigest(`sha256:${'0'.repeat(64)}`),
      tags: [parseTag('v1')],
      image: parseImageName('app'),
      repository,
      by: undefined,
    }),
    `{"at":"2026-11-24T20:31:47.255Z","type":"pushed","repository":"docker-local","image":"app","tags":["v1"],"digest":"sha256:${'0'.repeat(64)}"}`,
  )
})

test('whatever clients choose, it is one line and comes back as it was', () => {
  const text = fc.string({ unit: 'binary', maxLength: 200 })
  const field = fc.option(text, { nil: undefined })
  const times = fc.option(fc.integer({ min: 1 }), { nil: undefined })
  const entry = fc.record({
    by: field,
    with: field,
    address: field,
    requestId: field,
    action: field,
    subject: field,
    times,
  })
  fc.assert(
    fc.property(entry, (fields) => {
      const line = formatLine({ at, type: 'refused', ...fields })
      assert.ok(!/[\n\r]/.test(line))
      const parsed = parseLine(line)
      assert.deepEqual(plain(parsed), { at: at.toISOString(), type: 'refused', ...JSON.parse(JSON.stringify(fields)) })
    }),
  )
})

test('a field of more than 1 KiB is cut between two characters, and says so', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', minLength: 200, maxLength: 3000 }), (text) => {
      const kept = cut(text)
      if (Buffer.byteLength(text) <= 1024) return assert.equal(kept, text)
      const bytes = Buffer.byteLength(kept)
      assert.ok(bytes <= 1024 && bytes > 1017, String(bytes))
      assert.ok(kept.endsWith('…') && text.startsWith(kept.slice(0, -1)))
    }),
  )
  assert.equal(cut('\uFEFF'.repeat(342)), `${'\uFEFF'.repeat(340)}…`)
})

test('half a surrogate pair is recorded as what no character is', () => {
  assert.equal(parseLine(formatLine({ at, type: 'refused', reason: 'a\uD800b' }))?.reason, 'a\uFFFDb')
})

for (const line of [
  '',
  '{',
  'null',
  '[]',
  '{"at":"2026-11-24T20:31:47.255Z"}',
  '{"type":"pushed"}',
  '{"at":"yesterday","type":"pushed"}',
  '{"at":1764016307255,"type":"pushed"}',
  '{"at":"2026-11-24T20:31:47.255Z","type":"pulled"}',
])
  test(`${line || 'an empty line'} is no event`, () => assert.equal(parseLine(line), undefined))

test('of what is there, only what has the right form counts', () => {
  const line = `{"at":"2026-11-24T20:31:47.255Z","type":"pushed","by":1,"repository":"No Key","tags":["v1",2,"no tag"],"digest":"md5:0","times":-1,"more":1}`
  assert.deepEqual(plain(parseLine(line)), { at: at.toISOString(), type: 'pushed', tags: ['v1'] })
})

test('what a terminal would act on, or show in another order, is written as an escape and read as it was', () => {
  const by = 'a\u009b31mb\u202ec\u200bd'
  const line = formatLine({ at: new Date(0), type: 'refused', by })
  assert.doesNotMatch(line, /[^ -~]/)
  assert.equal(parseLine(line)?.by, by)
})
