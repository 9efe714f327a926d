import assert from 'node:assert/strict'
import { appendFile, mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { command } from '../helpers/command.ts'
import { startTestRegistry } from '../helpers/registry.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'
import { tinyImage } from '../helpers/tiny-image.ts'

async function tagsOf(dataDirectory: string, ...words: readonly string[]): Promise<readonly unknown[]> {
  const { exitCode, stdout, stderr } = await command(dataDirectory, 'audit', '--type', 'pushed', ...words)
  assert.deepEqual([exitCode, stderr], [0, ''])
  const lines = stdout.split('\n').filter(Boolean)
  return lines.map((line) => (JSON.parse(line) as { tags: readonly unknown[] }).tags[0])
}

test('beside a registry that runs it prints the lines as they are, the newest last, over all files', async () => {
  await using registry = await startTestRegistry()
  const directory = join(registry.dataDirectory, 'audit')
  const file = join(directory, 'audit.jsonl')
  await registry.admin.push('app', 'v1', tinyImage('1'))
  await registry.admin.push('app', 'v2', tinyImage('2'))
  await registry.running.stop()
  await rename(file, `${file}.1`)
  await registry.restart()
  await registry.admin.push('team/app', 'v3', tinyImage('3'))
  await registry.admin.ask('GET', '/artifactory/api/security/audit') // it is in the file then
  const kept = (await readFile(`${file}.1`, 'utf8')) + (await readFile(file, 'utf8'))

  const data = registry.dataDirectory
  assert.deepEqual(await command(data, 'audit'), { exitCode: 0, stdout: kept, stderr: '' })
  assert.deepEqual(await tagsOf(data, '--limit', '2'), ['v2', 'v3'])
  assert.deepEqual(await tagsOf(data, '--image', 'app', '--by', 'admin', '--type', 'pushed'), ['v1', 'v2'])
  assert.deepEqual(await tagsOf(data, '--repository', 'docker'), [])
  assert.deepEqual(await tagsOf(data, '--from', '2100-01-01'), [])
  assert.deepEqual(await tagsOf(data, '--from', '2020-01-01', '--to', '2100-01-01T00:00Z'), ['v1', 'v2', 'v3'])
})

test('it changes nothing, also when a line is torn', async () => {
  await using directory = await temporaryDirectory()
  const audit = join(directory.path, 'audit')
  await mkdir(audit)
  await writeFile(join(audit, 'audit.jsonl.1'), '{"at":"2026-11-24T20:31:47.255Z","type":"pushed","tags":["v1"]}\n')
  await appendFile(join(audit, 'audit.jsonl.1'), '{"at":"2026-11-24T20:31:47.255Z","ty')
  const before = await stat(join(audit, 'audit.jsonl.1'))
  assert.deepEqual(await tagsOf(directory.path), ['v1'])
  const { size, mtimeMs } = await stat(join(audit, 'audit.jsonl.1'))
  assert.deepEqual([size, mtimeMs], [before.size, before.mtimeMs])
  assert.deepEqual([await readdir(directory.path), await readdir(audit)], [['audit'], ['audit.jsonl.1']])
})

test('where there is no log, it says so and makes none', async () => {
  await using directory = await temporaryDirectory()
  const missing = await command(directory.path, 'audit')
  assert.equal(missing.exitCode, 1)
  assert.equal(
    missing.stderr,
    `caisson: ${directory.path}/audit/audit.jsonl does not exist yet: start caisson once, or name its data directory with --data\n`,
  )
  const config = join(directory.path, 'caisson.yaml')
  await writeFile(config, 'registry:\n  audit: { file: off }\n')
  const off = await command(directory.path, 'audit', '--config', config)
  assert.deepEqual([off.exitCode, off.stderr], [1, 'caisson: there is no audit log: registry.audit.file is off\n'])
  assert.deepEqual(await readdir(directory.path), ['caisson.yaml'])
})

test('wrong use is answered with what is expected', async () => {
  await using directory = await temporaryDirectory()
  for (const [words, message] of [
    [['--limit', 'all'], /^error: limit is "all": expected a number from 1 to 100000$/m],
    [['--type', 'pulled'], /^error: type is "pulled": expected some of login,/m],
    [['--from', 'today'], /^error: from is "today": expected a time like /m],
  ] as const) {
    const { exitCode, stderr } = await command(directory.path, 'audit', ...words)
    assert.equal(exitCode, 2)
    assert.match(stderr, message)
  }
})
