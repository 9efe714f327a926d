import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { goObject, goString, rawMembers } from '../../../registry/domain/go-json.ts'

const text = fc.string({ unit: 'binary' })

test('a text that is written is read as the same text', () => {
  fc.assert(fc.property(text, (text) => assert.equal(JSON.parse(goString(text)), text.toWellFormed())))
})

test('a text is written as programs in Go do it', () => {
  const text = '"\\\n\r\t\b\f\u0001<&>\u2028\u2029/\u007fé😀\ud800'
  assert.equal(
    goString(text),
    String.raw`"\"\\\n\r\t\u0008\u000c\u0001\u003c\u0026\u003e\u2028\u2029/` + '\u007fé😀\ufffd"',
  )
})

test('an object is taken apart and put together again without a change but its order', () => {
  fc.assert(
    fc.property(fc.dictionary(text, fc.jsonValue({ maxDepth: 4 })), fc.constantFrom(0, 1, 3), (object, indent) => {
      const members = rawMembers(Buffer.from(JSON.stringify(object, null, indent)))
      assert.ok(members)
      assert.deepEqual([...members.keys()].sort(), Object.keys(object).sort())
      assert.deepEqual(JSON.parse(goObject(members)), JSON.parse(JSON.stringify(object)))
    }),
  )
})

test('values keep each character but white space, and the last of several is the one', () => {
  const members = rawMembers(
    Buffer.from('{ "b" : 1.50 , "a":[ 1e3,-0.0 , "x y<\\u003c" ],"b":12345678901234567890 , "c" : { } }'),
  )
  assert.ok(members)
  assert.equal(goObject(members), String.raw`{"a":[1e3,-0.0,"x y\u003c\u003c"],"b":12345678901234567890,"c":{}}`)
})

test('what is no object has no members', () => {
  for (const text of ['', '[]', '"a"', '{', '{"a":1}x', 'null'])
    assert.equal(rawMembers(Buffer.from(text)), undefined, text)
  assert.equal(rawMembers(Buffer.from(' {} '))?.size, 0)
})
