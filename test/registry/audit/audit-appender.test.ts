import assert from 'node:assert/strict'
import { appendFile, chown, mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import pino from 'pino'
import { openAuditAppender } from '../../../registry/audit/audit-appender.ts'
import { openAuditLog } from '../../../registry/audit/file-audit-log.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'

const event = { type: 'access.changed', by: 'command line' } as const

test('a command adds its lines while a registry writes, and no line of either is torn', async () => {
  await using directory = await temporaryDirectory()
  const file = join(directory.path, 'audit.jsonl')
  const rotation = { atBytes: 1e9, keep: 1 }
  await using log = await openAuditLog({ file, rotation, log: pino({ enabled: false }) })
  await using appender = await openAuditAppender(file)
  for (let round = 0; round < 50; round++) {
    for (let each = 0; each < 20; each++) log.record({ type: 'login', by: `user ${round}.${each}` })
    await appender.append({ ...event, subject: `group ${round}` })
  }
  const entries = await log.query({ limit: 10_000 })
  assert.equal(entries.filter(({ type }) => type === 'login').length, 1000)
  const subjects = entries.filter(({ by }) => by === 'command line').map(({ subject }) => subject)
  assert.deepEqual(
    subjects.toReversed(),
    Array.from({ length: 50 }, (_, round) => `group ${round}`),
  )
})

test('a line is ended that was torn, so that the next one is read', async () => {
  await using directory = await temporaryDirectory()
  const file = join(directory.path, 'audit.jsonl')
  await writeFile(file, '{"at":"2026-11-24T20:31:47.255Z","ty')
  await using appender = await openAuditAppender(file, () => new Date('2026-11-25T00:00:00Z'))
  await appender.append(event)
  const line = '{"at":"2026-11-25T00:00:00.000Z","type":"access.changed","by":"command line"}'
  assert.equal(await readFile(file, 'utf8'), `{"at":"2026-11-24T20:31:47.255Z","ty\n${line}\n`)
})

test('the log is made for its user alone', async () => {
  await using directory = await temporaryDirectory()
  const file = join(directory.path, 'audit', 'audit.jsonl')
  await using appender = await openAuditAppender(file)
  await appender.append(event)
  assert.equal((await stat(file)).mode & 0o777, 0o600)
  assert.equal((await stat(join(directory.path, 'audit'))).mode & 0o777, 0o700)
})

test('a log that cannot be written is told before anything is done', async () => {
  await using directory = await temporaryDirectory()
  await mkdir(join(directory.path, 'audit.jsonl'))
  await assert.rejects(openAuditAppender(join(directory.path, 'audit.jsonl')), { code: 'EISDIR' })
  await appendFile(join(directory.path, 'file'), '')
  await assert.rejects(openAuditAppender(join(directory.path, 'file', 'audit.jsonl')))
})

const notRoot = process.getuid?.() === 0 ? false : 'only root makes files for others'
test(
  'what root makes belongs to whom the data belongs to, so that the registry can go on writing',
  { skip: notRoot },
  async () => {
    await using directory = await temporaryDirectory()
    await chown(directory.path, 4711, 4712)
    const file = join(directory.path, 'audit', 'audit.jsonl')
    await using appender = await openAuditAppender(file)
    await appender.append(event)
    for (const made of [file, join(directory.path, 'audit')]) {
      const { uid, gid } = await stat(made)
      assert.deepEqual([uid, gid], [4711, 4712])
    }
  },
)
