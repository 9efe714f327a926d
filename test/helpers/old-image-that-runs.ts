import { hash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { layerTar, type TarEntry } from './layer-tar.ts'
import { run } from './program.ts'
import { payloadSum, type V1TestImage } from './v1-client.ts'

/** A step as docker 1.x made it, with its layer as a tar too. */
export interface OldStep extends V1TestImage {
  readonly tar: Buffer
  readonly parent: string | undefined
  readonly createdBy: string
}

/** What the top image says of itself, in the order in which docker wrote it. */
export const configOfOldImage = {
  Hostname: '6b3b4f1c2d5e',
  User: '1000:50',
  ExposedPorts: { '53/udp': {}, '8080/tcp': {} },
  Env: ['PATH=/bin', 'GREETS=the <harbour> & "all"'],
  Cmd: ['one', 'two words'],
  Volumes: { '/kept': {} },
  WorkingDir: '/data/sub',
  Entrypoint: ['/bin/greet'],
  OnBuild: ['RUN true'],
  Labels: { 'com.example.team': 'docks', empty: '' },
}

/** What its program prints. */
export const saidByOldImage = [
  'word: one',
  'word: two words',
  'greets: the <harbour> & "all"',
  'in: /data/sub',
  'as: 1000:50',
  'reads: of the top',
]

/**
 * An image with a program that runs, the base first: every kind of file, and every way in which a layer takes
 * something away from those below it. `scratch` is a directory for the compiler.
 */
export async function oldImageThatRuns(scratch: string): Promise<readonly OldStep[]> {
  const program = join(scratch, 'greet')
  await run('cc', ['-static', '-O1', '-o', program, fileURLToPath(new URL('greet.c', import.meta.url))])
  const layers: readonly (readonly [createdBy: string, entries: readonly TarEntry[]])[] = [
    ['/bin/sh -c #(nop) ADD file:8c1b2e3f in /', baseOf(await readFile(program))],
    ['/bin/sh -c rm /data/taken; mv /data/was-directory …', changes],
    ['/bin/sh -c #(nop) ENV GREETS=the <harbour> & "all"', []],
    ['/bin/sh -c #(nop) CMD ["one" "two words"]', top],
  ]
  const steps: OldStep[] = []
  for (const [createdBy, entries] of layers) steps.push(step(createdBy, entries, steps.at(-1)))
  return steps
}

const directory = (name: string, more: object = {}): TarEntry => ({ name, typeflag: '5', mode: 0o755, ...more })

function baseOf(program: Buffer): readonly TarEntry[] {
  return [
    // What aufs left in the layers of the first versions of docker.
    { name: '.wh..wh.aufs', mode: 0o444 },
    directory('.wh..wh.orph/', { mode: 0o700 }),
    directory('.wh..wh.plnk/', { mode: 0o700 }),
    directory('bin/'),
    { name: 'bin/greet', mode: 0o755, content: program },
    directory('data/', { mode: 0o1777 }),
    { name: 'data/one', content: 'one file under two names', mode: 0o640, uid: 1000, gid: 50 },
    { name: 'data/same', typeflag: '1', linkname: 'data/one', mode: 0o640, uid: 1000, gid: 50 },
    { name: 'data/taken', content: 'not in the image in the end' },
    { name: 'data/privileged', content: '#!', mode: 0o6755, uid: 7, gid: 8 },
    { name: 'data/link', typeflag: '2', linkname: 'sub/says', mode: 0o777, uid: 1000, gid: 50 },
    { name: 'data/nowhere', typeflag: '2', linkname: '/no/such/file', mode: 0o777 },
    { name: 'data/pipe', typeflag: '6', mode: 0o600 },
    { name: 'data/null', typeflag: '3', mode: 0o666, device: [1, 3] },
    directory('data/sub/', { mode: 0o750, uid: 1000, gid: 50 }),
    { name: 'data/sub/says', content: 'of the base', uid: 1000, gid: 50 },
    directory('data/emptied/'),
    { name: 'data/emptied/before', content: 'hidden by a directory that is said to be new' },
    directory('data/gone/deep/'),
    { name: 'data/gone/deep/file', content: 'goes with its directory' },
    directory('data/was-directory/'),
    { name: 'data/was-directory/file', content: 'a file takes the place of its directory' },
    { name: 'data/was-file', content: 'a directory takes the place of it' },
    { name: 'data/with space and ümlaut', content: 'any name' },
    { name: 'data/long', content: 'a long name', records: { path: `data/${'long-'.repeat(40)}name` } },
    directory('kept/', { uid: 1000, mode: 0o1777 }),
  ]
}

const changes: readonly TarEntry[] = [
  directory('data/', { mode: 0o1777 }),
  { name: 'data/.wh.taken' },
  { name: 'data/.wh.gone' },
  { name: 'data/was-directory', content: 'a file now' },
  directory('data/was-file/', { mode: 0o700 }),
  { name: 'data/was-file/inside', content: 'of a directory now' },
  directory('data/emptied/', { mode: 0o711 }),
  { name: 'data/emptied/.wh..wh..opq' },
  { name: 'data/emptied/after', content: 'the only one' },
  { name: 'data/link', typeflag: '2', linkname: 'one', mode: 0o777 },
  { name: 'data/three', content: 'linked in its own layer' },
  { name: 'data/third', typeflag: '1', linkname: 'data/three' },
]

/** Every layer names the directories that its files are in, as docker's do: overlayfs shows those of the topmost. */
const top: readonly TarEntry[] = [
  directory('data/', { mode: 0o1777 }),
  directory('data/sub/', { mode: 0o755, uid: 1000, gid: 50 }),
  { name: 'data/sub/says', content: 'of the top', mode: 0o600, uid: 1000, gid: 50 },
  { name: 'data/taken', content: 'there again', mode: 0o444 },
]

function step(createdBy: string, entries: readonly TarEntry[], parent: OldStep | undefined): OldStep {
  const id = hash('sha256', `${createdBy} on ${parent?.id ?? 'nothing'}`)
  const json = JSON.stringify({
    id,
    ...(parent && { parent: parent.id }),
    created: '2015-07-14T09:30:15.123456789Z',
    container: hash('sha256', createdBy),
    container_config: { ...configOfOldImage, Cmd: ['/bin/sh', '-c', createdBy.slice('/bin/sh -c '.length)] },
    docker_version: '1.7.1',
    author: 'Docks <docks@example.com>',
    config: configOfOldImage,
    architecture: 'amd64',
    os: 'linux',
    Size: entries.reduce((sum, { content }) => sum + (content?.length ?? 0), 0),
  })
  const tar = layerTar(entries)
  // Docker before 1.0 sent some as they were.
  const layer = parent && parent.parent === undefined ? tar : gzipSync(tar)
  return { id, parent: parent?.id, json, layer, payload: payloadSum(json, layer), tar, createdBy }
}
