import assert from 'node:assert/strict'
import { test } from 'node:test'
import { without } from '../helpers/available.ts'
import { killUnderLoad } from './load.ts'

test('what skopeo copied is there, whatever was killed meanwhile', { skip: without('skopeo') }, async (t) => {
  const { kills, copied, cutOff, problems } = await killUnderLoad({ seconds: 30, seed: Date.now() % 1_000_000 })
  t.diagnostic(`${JSON.stringify(kills)} killed; ${copied} copies ended well, ${cutOff} were cut off`)
  assert.deepEqual(problems, [])
  assert.ok(copied > 0)
})
