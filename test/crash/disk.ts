import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { kinds, operations, type Kind, type Operation } from './file-operations.ts'

/** One entry of a record of file operations. Paths are below the root. */
export interface Recorded {
  readonly operation: Operation
  readonly kind: Kind
  readonly path: string
  /** Where to; for renaming and linking. */
  readonly to: string
  /** Of the file that was written, truncated or synced, or has been made. */
  readonly inode: bigint
  readonly offset: number
  readonly bytes: Buffer
  /** Size of the record when this was in it. */
  readonly position: number
}

const headerBytes = 4 + 1 + 1 + 2 + 2 + 6 + 3 * 8

/** The layout is `struct header` in file-operations.c. */
export function readRecord(record: Buffer): readonly Recorded[] {
  const entries: Recorded[] = []
  for (let at = 0; at < record.length;) {
    const size = record.readUInt32LE(at)
    const [pathLength, toLength] = [record.readUInt16LE(at + 6), record.readUInt16LE(at + 8)]
    const pathAt = at + headerBytes
    const toAt = pathAt + pathLength
    const bytesAt = toAt + toLength
    entries.push({
      operation: valueAt(operations, record.readUInt8(at + 4) - 1),
      kind: valueAt(kinds, record.readUInt8(at + 5) - 1),
      path: record.toString('utf8', pathAt, toAt),
      to: record.toString('utf8', toAt, bytesAt),
      inode: record.readBigUInt64LE(at + 16),
      offset: Number(record.readBigUInt64LE(at + 24)),
      bytes: record.subarray(bytesAt, at + size),
      position: at + size,
    })
    at += size
  }
  return entries
}

/** What a power cut leaves of what was not synced. */
export interface Loss {
  /** Whether this write, or this change of a directory, reached the disk by itself. */
  readonly survives: () => boolean
}

type Change = { readonly offset: number; readonly bytes: Buffer } | { readonly truncate: number }
type NameChange =
  | { readonly add: string; readonly node: Node }
  | { readonly remove: string }
  | { readonly move: string; readonly to: string }

/** A file, or a directory. `pending` is what only the memory of the machine has. */
class Node {
  readonly isDirectory: boolean
  durable: Buffer = Buffer.alloc(0)
  pending: Change[] = []

  constructor(isDirectory: boolean) {
    this.isDirectory = isDirectory
  }
}

/**
 * A file system that says what is on the disk after a power cut. Bytes are there once their file was synced; names once their
 * directory was synced, and the name of a new file together with its bytes, as the journals of ext4, XFS and Btrfs have it. A
 * rename happens whole or not at all. All else may be there or not: bytes in any combination, names of a directory in their order.
 */
export class Disk {
  readonly #nodes = new Map<bigint, Node>()
  /** What a process sees. */
  readonly #names = new Map<string, Node>()
  readonly #durable = new Map<string, Node>()
  #pending: NameChange[] = []

  do(entry: Recorded): void {
    switch (entry.operation) {
      case 'create':
        return this.#create(entry)
      case 'mkdir':
        return this.#name({ add: entry.path, node: new Node(true) })
      case 'write':
        return void this.#nodes.get(entry.inode)?.pending.push({ offset: entry.offset, bytes: entry.bytes })
      case 'truncate':
        return void this.#nodes.get(entry.inode)?.pending.push({ truncate: entry.offset })
      case 'rename':
        return this.#name({ move: entry.path, to: entry.to })
      case 'link': {
        const node = this.#names.get(entry.path)
        return node && this.#name({ add: entry.to, node })
      }
      case 'unlink':
        return this.#name({ remove: entry.path })
      case 'sync':
        return this.#sync(entry)
    }
  }

  /** Everything as a process would see it. */
  async write(directory: string): Promise<void> {
    await writeNames(this.#names, directory, { survives: () => true })
  }

  async writeAfterPowerCut(directory: string, loss: Loss): Promise<void> {
    const names = new Map(this.#durable)
    const stopped = new Set<string>()
    for (const change of this.#pending) {
      const touched = directoriesOf(change)
      if (touched.every((path) => !stopped.has(path)) && loss.survives()) apply(names, change)
      else for (const path of touched) stopped.add(path)
    }
    await writeNames(names, directory, loss)
  }

  #create({ path, inode }: Recorded): void {
    const node = new Node(false)
    this.#nodes.set(inode, node)
    this.#name({ add: path, node })
  }

  #name(change: NameChange): void {
    apply(this.#names, change)
    this.#pending.push(change)
  }

  #sync({ kind, path, inode }: Recorded): void {
    if (kind === 'directory' || kind === 'blob directory')
      return this.#settle((change) => directoriesOf(change).includes(path))
    const node = this.#nodes.get(inode)
    if (!node) return
    node.durable = withChanges(node.durable, node.pending)
    node.pending = []
    this.#settle((change) => 'add' in change && change.node === node)
  }

  #settle(isDurable: (change: NameChange) => boolean): void {
    for (const change of this.#pending) if (isDurable(change)) apply(this.#durable, change)
    this.#pending = this.#pending.filter((change) => !isDurable(change))
  }
}

function apply(names: Map<string, Node>, change: NameChange): void {
  if ('add' in change) return void names.set(change.add, change.node)
  if ('remove' in change) return void names.delete(change.remove)
  const node = names.get(change.move)
  if (node) names.set(change.to, node)
  names.delete(change.move)
}

function directoriesOf(change: NameChange): readonly string[] {
  const paths = 'add' in change ? [change.add] : 'remove' in change ? [change.remove] : [change.move, change.to]
  return paths.map((path) => (dirname(path) === '.' ? '' : dirname(path)))
}

function withChanges(before: Buffer, changes: readonly Change[]): Buffer {
  const ends = changes.map((change) => ('truncate' in change ? change.truncate : change.offset + change.bytes.length))
  const bytes = Buffer.alloc(Math.max(before.length, ...ends))
  let length = before.copy(bytes)
  for (const change of changes)
    if ('truncate' in change) {
      bytes.fill(0, change.truncate)
      length = change.truncate
    } else {
      change.bytes.copy(bytes, change.offset)
      length = Math.max(length, change.offset + change.bytes.length)
    }
  return bytes.subarray(0, length)
}

async function writeNames(names: ReadonlyMap<string, Node>, directory: string, loss: Loss): Promise<void> {
  await mkdir(directory, { recursive: true })
  for (const [path, node] of [...names].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (!isReachable(names, path)) continue
    if (node.isDirectory) await mkdir(join(directory, path), { recursive: true })
    else await writeFile(join(directory, path), contentOf(node, loss))
  }
}

/** A file whose directory was never on the disk is lost with it. */
function isReachable(names: ReadonlyMap<string, Node>, path: string): boolean {
  const parent = dirname(path)
  return parent === '.' || (names.get(parent)?.isDirectory === true && isReachable(names, parent))
}

function contentOf({ durable, pending }: Node, loss: Loss): Buffer {
  return withChanges(
    durable,
    pending.filter(() => loss.survives()),
  )
}

/** The files below a directory, by path; the harness compares what it believes with what is there. */
export async function filesBelow(directory: string): Promise<ReadonlyMap<string, Buffer>> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  return new Map(
    await Promise.all(
      files.map(async (file): Promise<[string, Buffer]> => [file.slice(directory.length + 1), await readFile(file)]),
    ),
  )
}

function valueAt<value>(values: readonly value[], index: number): value {
  const value = values[index]
  if (value === undefined) throw new Error(`the record has an unknown number: ${index + 1}`)
  return value
}
