import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RememberedLists } from '../../../../registry/repositories/remote/remembered-lists.ts'

test('a list is remembered until its time is over', () => {
  let now = 0
  const lists = new RememberedLists(10_000, () => now)
  lists.set('tags a', ['1', '2'], 100)
  now = 99
  assert.deepEqual(lists.get('tags a'), ['1', '2'])
  now = 100
  assert.equal(lists.get('tags a'), undefined)
})

test('the oldest lists go for new ones, by what all of them take', () => {
  const lists = new RememberedLists(10_000)
  const referrers = [{ annotations: { text: 'x'.repeat(4000) } }]
  for (const name of ['a', 'b', 'c']) lists.set(name, referrers, 1000)
  assert.deepEqual(
    ['a', 'b', 'c'].map((name) => lists.get(name)?.length),
    [undefined, 1, 1],
  )
  for (let count = 0; count < 100; count++) lists.set('b', ['1'], 1000)
  assert.deepEqual([lists.get('b'), lists.get('c')?.length], [['1'], 1])
  const many = Array.from({ length: 1000 }, (_, index) => `1.${index}`)
  lists.set('many', many, 1000)
  assert.deepEqual([lists.get('many'), lists.get('b'), lists.get('c')], [many, undefined, undefined])
})
