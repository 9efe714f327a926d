import { RegistryError } from '../../domain/errors.ts'
import type { TarHeader } from '../../domain/tar-header.ts'
import { maxTarBytes, tarParts } from './tar-parts.ts'
import { uncompressed } from './uncompressed.ts'

/**
 * As docker-registry 0.9 lists it: path from `/` on; a letter for its type (`typeLetters`, `u` for any other); whether the layer takes it away; size; seconds
 * since 1970; mode, user and group as numbers.
 */
export type LayerFile = readonly [
  path: string,
  type: string,
  deleted: boolean,
  size: number,
  mtime: number,
  mode: number,
  uid: number,
  gid: number,
]
type FileInfo = LayerFile extends readonly [string, ...infer rest] ? Readonly<rest> : never

/** By path: what a layer takes away from those below it, has anew, or has in another form. */
export interface LayerDiff {
  readonly deleted: Readonly<Record<string, FileInfo>>
  readonly changed: Readonly<Record<string, FileInfo>>
  readonly created: Readonly<Record<string, FileInfo>>
}

const maxListedFiles = 100_000
/** All the paths of a listing: a file with the longest path that Linux knows has 4 KiB of it. */
const maxPathCharacters = 32 * 1024 * 1024
const whiteout = '.wh.'

/** Source: docker_registry/lib/layers.py of docker-registry 0.9. */
const typeLetters: Readonly<Record<string, string>> = {
  '\0': 'f',
  '0': 'f',
  '1': 'l',
  '2': 's',
  '3': 'c',
  '4': 'b',
  '5': 'd',
  '6': 'i',
  '7': 't',
  S: 'S',
}

/** In the order of the layer. Throws BAD_REQUEST when it is no tar archive, or has more entries than are listed. */
export async function listFiles(
  layer: AsyncIterable<Uint8Array>,
  maxFiles = maxListedFiles,
): Promise<readonly LayerFile[]> {
  const files: LayerFile[] = []
  let characters = 0
  for await (const file of filesOf(layer)) {
    files.push(file)
    characters += file[0].length
    if (files.length > maxFiles || characters > maxPathCharacters)
      throw new RegistryError('BAD_REQUEST', {
        message: `the layer has more than the ${maxFiles} files that are listed`,
      })
  }
  return files
}

/**
 * `parents` opens the layers below, the nearest first; each is opened when the ones before it have left a question. A file is changed when the nearest layer that
 * knows its path has it, and created when that layer takes it away, or none knows it. Throws like {@link listFiles}.
 */
export async function diffOf(
  layer: AsyncIterable<Uint8Array>,
  parents: Iterable<() => Promise<AsyncIterable<Uint8Array>>>,
): Promise<LayerDiff> {
  const infos = new Map((await listFiles(layer)).map(([path, ...info]) => [path, info] as const))
  const open = new Set([...infos.keys()].filter((path) => !isDeleted(infos.get(path))))
  const changed = new Set<string>()
  for (const parent of parents) {
    if (open.size === 0) break
    for (const [path, deleted] of await lastWords(await parent(), open)) {
      open.delete(path)
      if (!deleted) changed.add(path)
    }
  }
  const groups = Object.groupBy(infos, ([path, info]) => groupOf(info, changed.has(path)))
  const record = (entries: readonly (readonly [string, FileInfo])[] = []) => Object.fromEntries(entries)
  return { deleted: record(groups.deleted), changed: record(groups.changed), created: record(groups.created) }
}

/** What a layer says of each of these paths: whether it takes it away. */
async function lastWords(
  layer: AsyncIterable<Uint8Array>,
  paths: ReadonlySet<string>,
): Promise<ReadonlyMap<string, boolean>> {
  const words = new Map<string, boolean>()
  for await (const [path, , deleted] of filesOf(layer)) if (paths.has(path)) words.set(path, deleted)
  return words
}

function isDeleted(info: FileInfo | undefined): boolean {
  return info?.[1] === true
}

function groupOf(info: FileInfo, isChanged: boolean): keyof LayerDiff {
  if (isDeleted(info)) return 'deleted'
  return isChanged ? 'changed' : 'created'
}

async function* filesOf(layer: AsyncIterable<Uint8Array>): AsyncGenerator<LayerFile> {
  let bytes = 0
  for await (const part of tarParts(uncompressed(layer))) {
    const file = part.kind === 'entry' ? fileOf(part.header) : undefined
    if (file) yield file
    if (part.kind === 'bytes') bytes += part.bytes.length
    if (bytes > maxTarBytes)
      throw new RegistryError('BAD_REQUEST', {
        message: `the layer has more than the ${maxTarBytes} bytes that are read`,
      })
  }
}

/** Undefined for what is no file: global headers, and the notes of a union file system, `.wh..wh.` something. */
function fileOf(header: TarHeader): LayerFile | undefined {
  if (header.typeflag === 'g') return undefined
  const path = pathOf(header)
  const cut = path.lastIndexOf('/') + 1
  const [directory, name] = [path.slice(0, cut), path.slice(cut)]
  if (/(?:^|\/)\.wh\.\.wh\./.test(path)) return undefined
  // docker-registry saw these in the root alone; layers have them everywhere.
  const deleted = name.startsWith(whiteout)
  return [
    `/${directory}${deleted ? name.slice(whiteout.length) : name}`,
    isOldDirectory(header) ? 'd' : (typeLetters[header.typeflag] ?? 'u'),
    deleted,
    Number(header.size),
    Number(header.mtime),
    Number(header.mode),
    Number(header.uid),
    Number(header.gid),
  ]
}

function pathOf({ name }: TarHeader): string {
  const path = Buffer.from(name, 'latin1')
    .toString('utf8')
    .replace(/^(?:\.?\/)+/, '')
  // The look-behind keeps a name of a million slashes from being tried from each of them.
  return path === '.' ? '' : path.replace(/(?<!\/)\/+$/, '')
}

/** Before POSIX, a slash at the end was all that made a directory one. */
function isOldDirectory({ typeflag, name }: TarHeader): boolean {
  return typeflag === '\0' && name.endsWith('/')
}
