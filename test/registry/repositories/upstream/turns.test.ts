import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import { test } from 'node:test'
import { Turns } from '../../../../registry/repositories/upstream/turns.ts'

test('who waits has its turn in order, when one that goes on has ended', async () => {
  const turns = new Turns(2)
  const came: string[] = []
  const take = async (name: string) => {
    const end = await turns.take()
    came.push(name)
    return end
  }
  const [a, b] = [await take('a'), await take('b')]
  const [c, d] = [take('c'), take('d')]
  await setImmediate()
  assert.deepEqual(came, ['a', 'b'])
  b()
  b()
  const ends = [a, await c]
  assert.deepEqual(came, ['a', 'b', 'c'])
  for (const end of ends) end()
  ends.push(await d, await take('e'))
  assert.deepEqual(came, ['a', 'b', 'c', 'd', 'e'])
})

test('a turn is over when what is done in it has failed', async () => {
  const turns = new Turns(1)
  const failing = turns.during(async () => {
    await setImmediate()
    throw new Error('it failed')
  })
  const next = turns.during(async () => 'done')
  await assert.rejects(failing, { message: 'it failed' })
  assert.equal(await next, 'done')
})
