import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import {
  appendFile,
  chmod,
  mkdir,
  readFile,
  rename,
  rm,
  rmdir,
  stat,
  truncate,
  watch,
  writeFile,
} from 'node:fs/promises'
import { dirname } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { noAuditLog } from '../../../registry/audit/no-audit-log.ts'
import { isRepositoryKey, parseImageName } from '../../../registry/domain/names.ts'
import { start } from '../../helpers/program.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'
import { noTinyFilesystem, tinyFilesystem } from '../../helpers/tiny-filesystem.ts'
import { plain, pushedBy, testAuditLog } from './audit-logs.ts'

const numbered = (count: number) => Array.from({ length: count }, (_, number) => String(number))

test('what is recorded is asked for at once, the newest first', async () => {
  await using audit = await testAuditLog()
  for (const by of numbered(5)) audit.log.record(pushedBy(by))
  assert.deepEqual(await audit.by(), ['4', '3', '2', '1', '0'])
  assert.deepEqual(await audit.by({ limit: 2 }), ['4', '3'])
  assert.deepEqual(plain((await audit.log.query({ limit: 1 }))[0]), {
    at: '2026-11-24T20:31:47.255Z',
    type: 'pushed',
    by: '4',
  })
  assert.deepEqual(audit.told, [])
})

test('the files are for their user alone', async () => {
  await using audit = await testAuditLog({ rotateBytes: 1 })
  audit.log.record(pushedBy('a'))
  await audit.by()
  for (const file of [audit.file, `${audit.file}.1`]) assert.equal((await stat(file)).mode & 0o777, 0o600)
  assert.equal((await stat(dirname(audit.file))).mode & 0o777, 0o700)
})

test('permissions that somebody has given stay', async () => {
  await using audit = await testAuditLog()
  await chmod(audit.file, 0o640)
  await audit.reopen()
  assert.equal((await stat(audit.file)).mode & 0o777, 0o640)
})

test('what was recorded is still there after a restart, and goes on', async () => {
  await using audit = await testAuditLog()
  audit.log.record(pushedBy('before'))
  await audit.reopen()
  audit.log.record(pushedBy('after'))
  assert.deepEqual(await audit.by(), ['after', 'before'])
})

test('a file that has its size is renamed, the ones before it move on, and the oldest are removed', async () => {
  await using audit = await testAuditLog({ rotateBytes: 1, keep: 2 })
  for (const by of numbered(4)) {
    audit.log.record(pushedBy(by))
    await audit.by()
  }
  const line = (by: number) => `{"at":"2026-11-24T20:31:47.255Z","type":"pushed","by":"${by}"}\n`
  assert.deepEqual(await audit.files(), { 'audit.jsonl': '', 'audit.jsonl.1': line(3), 'audit.jsonl.2': line(2) })
  assert.deepEqual(await audit.by(), ['3', '2'])
})

test('thousands at once stay in their order over many files', async () => {
  await using audit = await testAuditLog({ rotateBytes: 100 * 1024, keep: 100 })
  const all = numbered(20_000)
  for (const by of all) audit.log.record(pushedBy(by))
  assert.deepEqual(await audit.by({ limit: all.length + 1 }), all.toReversed())
  assert.ok(Object.keys(await audit.files()).length > 4)
})

test('a rotation that was killed half-way leaves a gap that is read across, and closed', async () => {
  await using audit = await testAuditLog({ rotateBytes: 1 })
  for (const by of numbered(3)) {
    audit.log.record(pushedBy(by))
    await audit.by()
  }
  await rename(`${audit.file}.3`, `${audit.file}.4`)
  await rename(`${audit.file}.2`, `${audit.file}.3`)
  assert.deepEqual(await audit.by(), ['2', '1', '0'])
  audit.log.record(pushedBy('3'))
  assert.deepEqual(await audit.by(), ['3', '2', '1', '0'])
  assert.deepEqual(
    Object.keys(await audit.files()),
    ['', '.1', '.2', '.3', '.4'].map((suffix) => `audit.jsonl${suffix}`),
  )
})

test('other files beside it are let alone', async () => {
  await using audit = await testAuditLog({ rotateBytes: 1, keep: 1 })
  const others = ['.gz', '.02', '.2.gz', '.old'].map((suffix) => `${audit.file}${suffix}`)
  for (const other of others) await writeFile(other, '{"at":"2026-11-24T20:31:47.255Z","type":"pushed","by":"other"}\n')
  for (const by of numbered(3)) {
    audit.log.record(pushedBy(by))
    await audit.by()
  }
  assert.deepEqual(await audit.by(), ['2'])
  for (const other of others) await stat(other)
})

test('a line that was torn is ended when the log is opened, and read by nobody', async () => {
  await using audit = await testAuditLog()
  audit.log.record(pushedBy('whole'))
  await audit.log[Symbol.asyncDispose]()
  await appendFile(audit.file, '{"at":"2026-11-24T20:31:47.255Z","ty')
  await audit.reopen()
  audit.log.record(pushedBy('next'))
  assert.deepEqual(await audit.by(), ['next', 'whole'])
  assert.equal((await readFile(audit.file, 'utf8')).split('\n').length, 4)
})

test('the zeros that a power cut leaves, and lines of others, hide no event', async () => {
  await using audit = await testAuditLog()
  audit.log.record(pushedBy('before'))
  await audit.log[Symbol.asyncDispose]()
  await appendFile(audit.file, Buffer.concat([Buffer.from('\n\nhello\n{}\n\xff\xfe\n', 'latin1'), Buffer.alloc(4096)]))
  await audit.reopen()
  audit.log.record(pushedBy('after'))
  assert.deepEqual(await audit.by(), ['after', 'before'])
})

test('a query may ask by time, type, user, repository and image, over all files', async () => {
  await using audit = await testAuditLog({ rotateBytes: 1 })
  const repository = 'docker-local'
  assert.ok(isRepositoryKey(repository))
  const image = parseImageName('team/app')
  const time = (day: number) => new Date(`2026-11-0${day}T12:00:00Z`)
  for (const [day, event] of [
    [1, { type: 'login', by: 'alice' }],
    [2, { type: 'pushed', by: 'alice', repository, image }],
    [3, { type: 'deleted', by: 'bob', repository, image }],
    [4, { type: 'refused' }],
    [5, { type: 'pushed', by: 'bob', repository }],
  ] as const) {
    audit.clock.at = time(day)
    audit.log.record(event)
  }
  const days = async (query: object) =>
    (await audit.log.query({ limit: 10, ...query })).map(({ at }) => at.getUTCDate()).join('')
  assert.equal(await days({}), '54321')
  assert.equal(await days({ types: ['pushed', 'login'] }), '521')
  assert.equal(await days({ types: ['pushed', 'login'], limit: 2 }), '52')
  assert.equal(await days({ by: 'bob' }), '53')
  assert.equal(await days({ repository: 'docker-local' }), '532')
  assert.equal(await days({ repository: 'docker-local', image: 'team/app', by: 'alice' }), '2')
  assert.equal(await days({ image: 'team' }), '')
  assert.equal(await days({ from: time(2), to: time(4) }), '32')
  assert.equal(await days({ to: new Date(time(4).getTime() + 1) }), '4321')
  assert.equal(await days({ from: new Date(time(4).getTime() + 1) }), '5')
})

test('a user with a name longer than what is recorded of it is found by it', async () => {
  await using audit = await testAuditLog()
  const name = 'x'.repeat(3000)
  audit.log.record({ type: 'login.failed', by: name })
  assert.deepEqual(await audit.by({ by: name }), [`${'x'.repeat(1021)}…`])
})

test('a query reads everything once while files are renamed under it', async () => {
  await using audit = await testAuditLog({ rotateBytes: 1, keep: 1000 })
  const first = numbered(50)
  for (const by of first) {
    audit.log.record(pushedBy(by))
    await audit.by({ limit: 1 })
  }
  const reading = new AbortController()
  const asked = audit.by().finally(() => reading.abort())
  while (!reading.signal.aborted) {
    audit.log.record(pushedBy('late'))
    await audit.by({ limit: 1 })
  }
  assert.deepEqual(
    (await asked).filter((by) => by !== 'late'),
    first.toReversed(),
  )
})

test('what cannot be written waits, is told once a minute, and is written in its order when it can', async () => {
  await using audit = await testAuditLog()
  audit.log.record(pushedBy('before'))
  await audit.by()
  await rename(audit.file, `${audit.file}.1`)
  await mkdir(audit.file) // a directory that cannot be written to as a file

  for (const by of numbered(3)) {
    audit.log.record(pushedBy(by))
    await assert.rejects(audit.by(), { code: 'EISDIR' })
  }
  audit.clock.at = new Date(audit.clock.at.getTime() + 59_999)
  await assert.rejects(audit.by(), { code: 'EISDIR' })
  audit.clock.at = new Date(audit.clock.at.getTime() + 1)
  await assert.rejects(audit.by(), { code: 'EISDIR' })
  const told = audit.told.map(({ level, msg, waiting, lost, file }) => ({ level, msg, waiting, lost, file }))
  const one = { level: 50, msg: 'the audit log cannot be written', lost: 0, file: audit.file }
  assert.deepEqual(told, [
    { ...one, waiting: 1 },
    { ...one, waiting: 3 },
  ])

  await rmdir(audit.file)
  assert.deepEqual(await audit.by(), ['2', '1', '0', 'before'])
})

test('what waits is written by itself as soon as it can be', async () => {
  await using audit = await testAuditLog()
  await rm(audit.file)
  await mkdir(audit.file)
  audit.log.record(pushedBy('a'))
  await assert.rejects(audit.by(), { code: 'EISDIR' })
  const changes = watch(dirname(audit.file))
  await rmdir(audit.file)
  for await (const _ of changes) if (existsSync(audit.file) && (await stat(audit.file)).size > 0) break
  assert.deepEqual(await audit.by(), ['a'])
})

test('what finds no room to wait is counted, and so is what still waits at the end', async () => {
  await using audit = await testAuditLog()
  await rename(audit.file, `${audit.file}.1`)
  await mkdir(audit.file)
  const reason = 'x'.repeat(1000)
  for (const by of numbered(10_000)) audit.log.record({ type: 'refused', by, reason })
  await audit.log[Symbol.asyncDispose]()
  const lost = audit.told.reduce((sum, { lost }) => sum + Number(lost), 0)
  assert.equal(lost, 10_000)
  assert.equal(audit.told.at(-1)?.msg, 'events were not kept in the audit log')
  await rmdir(audit.file)
  await rename(`${audit.file}.1`, audit.file)
  await audit.reopen()
  audit.log.record(pushedBy('after'))
  assert.deepEqual(await audit.by(), ['after'])
})

test('a burst that finds no room keeps the first, and says how many were lost', async () => {
  await using audit = await testAuditLog()
  const reason = 'x'.repeat(1000)
  for (const by of numbered(10_000)) audit.log.record({ type: 'refused', by, reason })
  const kept = await audit.by({ limit: 10_000 })
  assert.ok(kept.length > 5000 && kept.length < 10_000)
  assert.deepEqual(kept, numbered(kept.length).toReversed())
  await audit.log[Symbol.asyncDispose]()
  assert.deepEqual(
    audit.told.map(({ lost, msg }) => [lost, msg]),
    [[10_000 - kept.length, 'events were not kept in the audit log']],
  )
})

test('what cannot be renamed is told, and nothing is lost', async () => {
  await using audit = await testAuditLog({ rotateBytes: 1 })
  await mkdir(`${audit.file}.1`)
  for (const by of numbered(3)) {
    audit.log.record(pushedBy(by))
    await audit.by()
  }
  assert.deepEqual(await audit.by(), ['2', '1', '0'])
  assert.match(JSON.stringify(audit.told[0]), /EISDIR/)
  await rmdir(`${audit.file}.1`)
  audit.log.record(pushedBy('3'))
  assert.deepEqual(await audit.by(), ['3', '2', '1', '0'])
  assert.deepEqual(Object.keys(await audit.files()), ['audit.jsonl', 'audit.jsonl.1'])
})

test('a file that somebody moves away, removes or empties is made anew', async () => {
  await using audit = await testAuditLog()
  const steps = [
    () => rename(audit.file, `${audit.file}.kept`),
    () => rm(audit.file),
    () => truncate(audit.file),
    () => rm(dirname(audit.file), { recursive: true }),
  ]
  for (const step of steps) {
    audit.log.record(pushedBy('before'))
    await audit.by()
    await step()
    audit.log.record(pushedBy('after'))
    assert.deepEqual(await audit.by(), ['after'])
  }
  assert.deepEqual(audit.told, [])
})

test('a place where no file can be is named with what to change', async () => {
  await using directory = await temporaryDirectory()
  await mkdir(`${directory.path}/audit/audit.jsonl`, { recursive: true })
  await assert.rejects(
    testAuditLog({ directory: directory.path }),
    /^Error: the audit log cannot be opened: EISDIR.*; change registry\.audit\.file$/,
  )
})

test(
  'a disk that is full takes whole lines or none, and the rest when there is room',
  { skip: noTinyFilesystem },
  async () => {
    await using disk = await tinyFilesystem(1)
    await using audit = await testAuditLog({ directory: disk.path })
    const filler = `${disk.path}/filler`
    await writeFile(filler, Buffer.alloc(700 * 1024))
    const events = numbered(3000)
    const reason = 'x'.repeat(100)
    for (const by of events) audit.log.record({ type: 'refused', by, reason })
    const before = await audit.by({ limit: 5000 })
    assert.ok(before.length < events.length)
    assert.deepEqual(before, numbered(before.length).toReversed())
    assert.ok((await readFile(audit.file, 'utf8')).endsWith('}\n'))
    assert.match(String(audit.told[0]?.msg), /the audit log cannot be written/)

    await rm(filler)
    assert.deepEqual(await audit.by({ limit: 5000 }), events.toReversed())
  },
)

test('a log on a disk that is full is opened all the same', { skip: noTinyFilesystem }, async () => {
  await using disk = await tinyFilesystem(1)
  const filler = `${disk.path}/filler`
  await mkdir(`${disk.path}/audit`)
  await writeFile(`${disk.path}/audit/audit.jsonl`, '{"at":"2026-11-24T20:31:47.255Z","ty')
  await writeFile(filler, Buffer.alloc(2 ** 20)).catch(() => undefined)
  await using audit = await testAuditLog({ directory: disk.path })
  audit.log.record(pushedBy('waits'))
  await rm(filler)
  assert.deepEqual(await audit.by(), ['waits'])
})

test('a process that is killed loses nothing that was written, and tears no more than its last line', async () => {
  await using audit = await testAuditLog({ rotateBytes: 50_000, keep: 1000 })
  await audit.log[Symbol.asyncDispose]()
  const child = start(process.execPath, [fileURLToPath(new URL('recorder.ts', import.meta.url)), audit.file])
  await child.says(/recorded 3000\n/)
  process.kill(child.pid, 'SIGKILL')
  await child.ended

  await audit.reopen()
  audit.log.record(pushedBy('next'))
  const [next, ...seen] = await audit.by({ limit: 10_000_000 })
  assert.equal(next, 'next')
  assert.ok(seen.length >= 3000)
  assert.deepEqual(seen, numbered(seen.length).toReversed())
  const lines = Object.values(await audit.files()).flatMap((content) => content.split('\n').filter(Boolean))
  assert.ok(lines.length - seen.length <= 2, `${lines.length} lines, ${seen.length} events`)
})

test('without a log nothing is kept, and who asks is told why', async () => {
  noAuditLog.record(pushedBy('a'))
  await assert.rejects(noAuditLog.query({ limit: 1 }), {
    code: 'UNSUPPORTED',
    message: 'there is no audit log: audit.file is off',
  })
})
