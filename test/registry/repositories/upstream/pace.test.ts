import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Pace } from '../../../../registry/repositories/upstream/pace.ts'

const limits = { silenceMs: 1000, bytesPerSecond: 100, windowMs: 3000 }

test('silence is a problem once it is long enough', () => {
  const { pace, pass } = started()
  pass(999)
  assert.equal(pace.problem(), undefined)
  pass(1)
  assert.equal(pace.problem(), 'nothing came for 1000 ms')
})

test('dripping is a problem on average over the whole window', () => {
  const { pace, pass } = started()
  for (let second = 0; second < 3; second++) {
    assert.equal(pace.problem(), undefined)
    pass(900)
    pace.received(99)
    pass(100)
  }
  assert.match(pace.problem() ?? '', /297 bytes in 3 s, less than 100 B\/s/)
})

test('each window counts for itself', () => {
  const { pace, pass } = started()
  pace.received(1_000_000)
  for (let half = 0; half < 6; half++) {
    pass(500)
    pace.received(1)
    assert.equal(pace.problem(), undefined)
  }
  for (let half = 0; half < 5; half++) {
    pass(500)
    pace.received(1)
    assert.equal(pace.problem(), undefined)
  }
  pass(500)
  pace.received(1)
  assert.match(pace.problem() ?? '', /6 bytes in 3 s/)
})

test('the time does not count in which the reader wants nothing', () => {
  const { pace, pass } = started()
  pace.received(300)
  pace.hold()
  pass(1_000_000)
  assert.equal(pace.problem(), undefined)
  pace.resume()
  pass(999)
  assert.equal(pace.problem(), undefined)
  pass(1)
  assert.equal(pace.problem(), 'nothing came for 1000 ms')
})

function started() {
  let now = 5000
  return { pace: new Pace(limits, () => now), pass: (ms: number) => void (now += ms) }
}
