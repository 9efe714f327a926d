import assert from 'node:assert/strict'
import { test } from 'node:test'
import { campaign } from './campaign.ts'
import { withoutFileOperations } from './file-operations.ts'
import { pullSteps } from './pull-steps.ts'

test(
  'killed while it fetches: what a client got whole is right, what is kept is right, and the next pull is right',
  { skip: withoutFileOperations() },
  async (t) => {
    const only = pullSteps.map(({ name }) => name)
    const { points, kills, rests, problems } = await campaign({ kills: 48, seed: Date.now() % 1_000_000, only })
    const { kept, resumed, dropped } = rests
    t.diagnostic(
      `${kills} kills at ${points.size} points; of blobs ${kept} parts kept, ${resumed} resumed, ${dropped} dropped`,
    )
    assert.deepEqual(problems, [])
    assert.ok(kept > 0, 'no fetch was killed in the middle')
  },
)
