import assert from 'node:assert/strict'
import { test } from 'node:test'
import { campaign } from './campaign.ts'
import { withoutFileOperations } from './file-operations.ts'
import { v1Steps } from './v1-steps.ts'

test(
  'killed while images come and go by the V1 API: what was acknowledged is whole, and what was not can be pushed again or is cleared',
  { skip: withoutFileOperations() },
  async (t) => {
    const only = [...v1Steps.map(({ name }) => name), 'start with abandoned uploads']
    const { points, kills, problems } = await campaign({ kills: 24, seed: Date.now() % 1_000_000, only })
    t.diagnostic(`${kills} kills at ${points.size} points`)
    assert.deepEqual(problems, [])
  },
)
