import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FailureLog } from '../../../../registry/repositories/virtual/question.ts'
import { keyOf } from '../../../contracts/metadata-store.ts'

test('a member that goes on failing is logged once a minute, each by itself', () => {
  let now = 0
  const logged: unknown[] = []
  const failures = new FailureLog(keyOf('all'), { warn: (what: unknown) => void logged.push(what) }, () => now)
  const err = new Error('no route to host')
  for (const [at, member] of [
    [0, 'hub'],
    [1, 'quay'],
    [59_999, 'hub'],
    [60_000, 'hub'],
    [60_001, 'hub'],
  ] as const) {
    now = at
    failures.note(keyOf(member), err)
  }
  assert.deepEqual(
    logged,
    ['hub', 'quay', 'hub'].map((member) => ({ repository: 'all', member, err })),
  )
})
