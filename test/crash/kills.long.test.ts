import assert from 'node:assert/strict'
import { test } from 'node:test'
import { campaign } from './campaign.ts'
import { withoutFileOperations } from './file-operations.ts'

test(
  'killed at any file operation, a registry loses nothing that was acknowledged',
  { skip: withoutFileOperations() },
  async (t) => {
    const { points, kills, problems } = await campaign({ kills: 60, seed: Date.now() % 1_000_000 })
    t.diagnostic(`${kills} kills at ${points.size} points`)
    assert.deepEqual(problems, [])
    assert.ok(points.size >= 25, `only ${points.size} points were hit`)
  },
)
