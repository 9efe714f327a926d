import assert from 'node:assert/strict'
import { test } from 'node:test'
import { withoutFileOperations } from './file-operations.ts'
import { powerCuts } from './power-cuts.ts'

test(
  'what was not synced may be lost: nothing that was acknowledged goes with it',
  { skip: withoutFileOperations() },
  async (t) => {
    const { operations, cuts, problems } = await powerCuts({ rounds: 1, cuts: 80, seed: Date.now() % 1_000_000 })
    t.diagnostic(`${cuts} power cuts in ${operations} file operations`)
    assert.deepEqual(problems, [])
  },
)
