import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import pino from 'pino'
import { schedule, type Job } from '../../../registry/jobs/schedule.ts'

const silent = pino({ level: 'silent' })
const anHour = 3_600_000

test('a job runs at once, and again and again', async () => {
  const thrice = Promise.withResolvers<void>()
  let runs = 0
  const run = async (): Promise<void> => {
    if (++runs === 3) thrice.resolve()
  }
  await using _running = schedule([{ name: 'count', everyMs: 1, run }], silent)
  await thrice.promise
})

test('a job that fails is logged by its name and tried again, and keeps no other from running', async () => {
  const lines: string[] = []
  const log = pino({ level: 'error' }, { write: (line: string) => void lines.push(line) })
  const [again, other] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  let attempts = 0
  const failing: Job = {
    name: 'failing',
    everyMs: 1,
    run: async () => {
      if (++attempts === 2) again.resolve()
      throw new Error('no luck')
    },
  }
  const works: Job = { name: 'works', everyMs: anHour, run: async () => other.resolve() }
  await using _running = schedule([failing, works], log)
  await Promise.all([again.promise, other.promise])
  assert.match(lines[0] ?? '', /"message":"no luck".*"job":"failing".*a job failed; it is tried again/)
})

test('no run of a job begins before the last one has ended', async () => {
  const done = Promise.withResolvers<void>()
  let [running, runs] = [0, 0]
  const run = async (): Promise<void> => {
    assert.equal(++running, 1)
    await new Promise((resolve) => setImmediate(resolve))
    running -= 1
    if (++runs === 5) done.resolve()
  }
  await using _running = schedule([{ name: 'long', everyMs: 0, run }], silent)
  await done.promise
})

test('disposing tells the job that runs to come to an end and waits for it; a pause ends at once', async () => {
  const started = Promise.withResolvers<void>()
  let ended = false
  const runs: Job = {
    name: 'runs',
    everyMs: anHour,
    run: async (signal) => {
      started.resolve()
      await once(signal, 'abort')
      await new Promise((resolve) => setImmediate(resolve))
      ended = true
    },
  }
  const pauses: Job = { name: 'pauses', everyMs: anHour, run: async () => {} }
  const running = schedule([runs, pauses], silent)
  await started.promise
  await running[Symbol.asyncDispose]()
  assert.ok(ended)
})
