import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { objectOf, quoted, rawItems, rawMembers, sortedObject } from '../../../registry/domain/raw-json.ts'

test('values keep their spelling, and lose the white space between their parts', () => {
  const text = ' { "big" : 12345678901234567890 , "one":1.0,\n"e" : -1E+5, "deep": { "a b" : [ 1 , { } , "x y" ] } } '
  assert.deepEqual(
    [...rawMembers(text)],
    [
      ['big', '12345678901234567890'],
      ['one', '1.0'],
      ['e', '-1E+5'],
      ['deep', '{"a b":[1,{},"x y"]}'],
    ],
  )
})

test('escapes, quotes and brackets in strings stay as they are', () => {
  const text = String.raw`{"a\u0041":"\u00e9 \" ] } , \\","b":["\/",null,true]}`
  assert.deepEqual(
    [...rawMembers(text)],
    [
      ['aA', String.raw`"\u00e9 \" ] } , \\"`],
      ['b', String.raw`["\/",null,true]`],
    ],
  )
})

test('what a browser would take for markup, and the line ends of Unicode, are escaped as Go escapes them', () => {
  const [member] = rawMembers('{"a":"<b> & \u2028\u2029 \u007f é"}').values()
  assert.equal(member, String.raw`"\u003cb\u003e \u0026 \u2028\u2029 ${'\u007f'} é"`)
  assert.equal(quoted('<\b\f\n\u0001\\b"\u2028'), String.raw`"\u003c\u0008\u000c\n\u0001\\b\"\u2028"`)
})

const text = fc.string({ unit: 'binary' })

test('a text that is written is read as the same text', () => {
  fc.assert(fc.property(text, (text) => assert.equal(JSON.parse(quoted(text)), text.toWellFormed())))
})

test('an object is taken apart and put together again without a change but its order', () => {
  fc.assert(
    fc.property(fc.dictionary(text, fc.jsonValue({ maxDepth: 4 })), fc.constantFrom(0, 1, 3), (object, indent) => {
      const members = rawMembers(JSON.stringify(object, null, indent))
      assert.deepEqual([...members.keys()].sort(), Object.keys(object).sort())
      assert.deepEqual(JSON.parse(sortedObject(members)), JSON.parse(JSON.stringify(object)))
    }),
  )
})

test('half of a surrogate pair is written as what Go reads it as', () => {
  assert.equal(quoted('\ud800x'), '"\ufffdx"')
})

test('of members with one name the last counts', () => {
  assert.deepEqual([...rawMembers('{"a":1,"a":2}')], [['a', '2']])
})

test('an empty object has no members, and a list has its items', () => {
  assert.equal(rawMembers(' { } ').size, 0)
  assert.deepEqual(rawItems('[ "a,b" , [1,2], {"c":3} ,4 ]'), ['"a,b"', '[1,2]', '{"c":3}', '4'])
  assert.deepEqual(rawItems('[]'), [])
})

test('an object is written in the order of the bytes of its names, or in the order given', () => {
  const members = new Map([
    ['\u{1f40b}', '1'],
    ['\uff5e', '2'],
    ['a', '3'],
    ['Z', '4'],
  ])
  assert.equal(sortedObject(members), '{"Z":4,"a":3,"\uff5e":2,"\u{1f40b}":1}')
  assert.equal(
    objectOf([
      ['b', '1'],
      ['a', '2'],
    ]),
    '{"b":1,"a":2}',
  )
})
