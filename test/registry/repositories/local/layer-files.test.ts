import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { diffOf, listFiles } from '../../../../registry/repositories/local/layer-files.ts'
import { blocksOf, layerTar, type TarEntry } from '../../../helpers/layer-tar.ts'

test('a listing has path, type, whether it is deleted, size, time, mode, user and group of each entry', async () => {
  const layer = layerTar([
    { name: './', typeflag: '5', mode: 0o755 },
    { name: './etc/', typeflag: '5', mode: 0o755 },
    { name: 'etc/motd', content: 'hello\n', uid: 1000, gid: 50, mtime: 1_400_000_000 },
    { name: 'etc/.wh.passwd', mode: 0o600 },
    { name: '.wh.gone' },
    { name: 'Übung', records: { path: 'Übung', size: '0' } },
    { name: 'old/', typeflag: '\0' },
    { name: 'what', typeflag: 'Z' },
  ])
  const time = 1_400_000_000
  for (const bytes of [layer, gzipSync(layer)])
    assert.deepEqual(await listFiles(streamOf(bytes)), [
      ['/', 'd', false, 0, time, 0o755, 0, 0],
      ['/etc', 'd', false, 0, time, 0o755, 0, 0],
      ['/etc/motd', 'f', false, 6, time, 0o644, 1000, 50],
      ['/etc/passwd', 'f', true, 0, time, 0o600, 0, 0],
      ['/gone', 'f', true, 0, time, 0o644, 0, 0],
      ['/Übung', 'f', false, 0, time, 0o644, 0, 0],
      ['/old', 'd', false, 0, time, 0o644, 0, 0],
      ['/what', 'u', false, 0, time, 0o644, 0, 0],
    ])
})

test('each type has its letter', async () => {
  const typeflags = ['0', '1', '2', '3', '4', '5', '6', '7']
  const files = await listFiles(streamOf(layerTar(typeflags.map((typeflag) => ({ name: 'x', typeflag })))))
  assert.equal(files.map(([, type]) => type).join(''), 'flscbdit')
})

test('the notes of a union file system and global headers are not listed', async () => {
  const layer = layerTar([
    { name: '.wh..wh.aufs' },
    { name: '.wh..wh.plnk/', typeflag: '5' },
    { name: '.wh..wh.plnk/12.34' },
    { name: 'etc/.wh..wh..opq' },
    { name: 'comment', typeflag: 'g', content: '13 comment=x\n' },
    { name: 'file' },
  ])
  assert.deepEqual(await pathsOf(layer), ['/file'])
})

test('a diff tells what the layers below have and what a layer takes away from them', async () => {
  const top = [file('kept'), file('back'), file('new'), file('etc/.wh.gone'), file('deep/changed'), file('twice')]
  const middle = [file('kept'), file('.wh.back'), file('.wh.twice'), file('twice')]
  const base = [file('back'), file('etc/gone'), file('deep/changed'), file('other')]
  const diff = await diffOf(streamOf(layerTar(top)), [opener(middle), opener(base)])
  assert.deepEqual(diff, {
    deleted: { '/etc/gone': ['f', true, 0, 1_400_000_000, 0o644, 0, 0] },
    changed: { '/kept': info, '/deep/changed': info, '/twice': info },
    created: { '/back': info, '/new': info },
  })
})

test('the diff of a base image is what it has', async () => {
  const diff = await diffOf(streamOf(layerTar([file('a'), file('b')])), [])
  assert.deepEqual(diff, { deleted: {}, changed: {}, created: { '/a': info, '/b': info } })
})

test('a layer below is not opened when those above it leave no question', async () => {
  const never = async (): Promise<never> => assert.fail('opened')
  const diff = await diffOf(streamOf(layerTar([file('a'), file('.wh.b')])), [opener([file('a')]), never])
  assert.deepEqual(Object.keys(diff.changed), ['/a'])
})

test('what is no tar archive, or broken, is refused', async () => {
  const layer = gzipSync(layerTar([file('a')]))
  for (const bytes of [Buffer.from('text '.repeat(300)), layer.subarray(0, 30), Buffer.from('fd377a585a000004', 'hex')])
    await assert.rejects(listFiles(streamOf(bytes)), { code: 'BAD_REQUEST', message: /^not a tar archive/ })
})

test('a disk that cannot be read is no broken layer', async () => {
  const failure = Object.assign(new Error('input/output error'), { code: 'EIO' })
  async function* unreadable() {
    yield gzipSync(layerTar([file('a')])).subarray(0, 30)
    throw failure
  }
  await assert.rejects(listFiles(unreadable()), failure)
})

test('a layer with more entries than are listed is refused before it is read to its end', async () => {
  let entries = 0
  async function* endless() {
    for (;;) {
      entries++
      yield Buffer.concat(blocksOf(file('x')))
    }
  }
  await assert.rejects(listFiles(endless(), 100), { code: 'BAD_REQUEST', message: /more than the 100 files/ })
  assert.ok(entries < 110)
})

test('a few very long paths are refused too', async () => {
  const long = file('x', { path: 'x'.repeat(1_000_000) })
  const layer = layerTar(Array<TarEntry>(40).fill(long))
  await assert.rejects(listFiles(streamOf(layer)), { code: 'BAD_REQUEST' })
})

test('a path of a million slashes is read like any other', { timeout: 10_000 }, async () => {
  const paths = await pathsOf(layerTar([file('x', { path: `a${'/'.repeat(1_000_000)}b${'/'.repeat(40_000)}` })]))
  assert.equal(paths[0]?.length, 1_000_003)
})

const info = ['f', false, 0, 1_400_000_000, 0o644, 0, 0]

function file(name: string, records?: TarEntry['records']): TarEntry {
  return records ? { name, records } : { name }
}

function streamOf(bytes: Uint8Array): Readable {
  return Readable.from([bytes])
}

function opener(entries: readonly TarEntry[]): () => Promise<Readable> {
  return async () => streamOf(gzipSync(layerTar(entries)))
}

async function pathsOf(layer: Buffer): Promise<readonly string[]> {
  return (await listFiles(streamOf(layer))).map(([path]) => path)
}
