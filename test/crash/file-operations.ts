import { spawnSync } from 'node:child_process'
import { hash } from 'node:crypto'
import { closeSync, existsSync, fstatSync, mkdirSync, openSync, readFileSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const source = fileURLToPath(new URL('./file-operations.c', import.meta.url))
const cache = fileURLToPath(new URL('../../node_modules/.cache/crash', import.meta.url))

/** In the order of the enumerations in file-operations.c, from 1. */
export const operations = ['create', 'write', 'sync', 'rename', 'unlink', 'mkdir', 'truncate', 'link'] as const
export const kinds = ['upload', 'blob', 'database', 'log', 'other file', 'blob directory', 'directory'] as const
export const moments = ['before', 'in the middle of', 'after'] as const

export type Operation = (typeof operations)[number]
export type Kind = (typeof kinds)[number]
export type Moment = (typeof moments)[number]

/** Where a process is to die: at the `nth` of these operations from now on. */
export interface Point {
  readonly moment: Moment
  readonly operation: Operation
  readonly kind: Kind
  readonly nth: number
}

/** How many of each there were. */
export type Counts = ReadonlyMap<string, number>

export function describePoint({ moment, operation, kind }: Point): string {
  return `${moment} ${operation} of ${kind}`
}

export function countOf(counts: Counts, { operation, kind }: Pick<Point, 'operation' | 'kind'>): number {
  return counts.get(`${operation} ${kind}`) ?? 0
}

/** For the `skip` option of a test. In CI it throws instead, so that no green run hides that nothing was tried. */
export function withoutFileOperations(): string | false {
  if (process.platform !== 'linux') return 'processes are killed at chosen file operations on Linux only'
  const { error, status } = spawnSync('cc', ['--version'])
  const reason = 'a C compiler is missing: apt-get install gcc libc6-dev'
  if (!error && status === 0) return false
  if (process.env.CI === 'true') throw new Error(reason)
  return reason
}

/** The library that is preloaded, built unless it is there. */
function library(): string {
  const name = `file-operations-${hash('sha256', readFileSync(source), 'hex').slice(0, 16)}.so`
  const file = join(cache, name)
  if (existsSync(file)) return file
  mkdirSync(cache, { recursive: true })
  const { status, stderr } = spawnSync('cc', ['-O2', '-Wall', '-shared', '-fPIC', '-o', file, source, '-ldl'])
  if (status !== 0) throw new Error(`cc cannot build ${source}:\n${stderr.toString()}`)
  return file
}

// The layout of `struct control`, in 32-bit words.
const kindsInC = kinds.length + 1
const operationsInC = operations.length + 1
const countedAt = 16
const words = countedAt + operationsInC * kindsInC

/** One process's operations on the files below one directory, seen from outside; see file-operations.c. */
export class FileOperations implements Disposable {
  readonly #control: number
  readonly #record: number | undefined
  readonly env: Readonly<Record<string, string>>

  /** Both files are made in `directory`. `root` is the real path of the directory that is watched. */
  constructor(directory: string, root: string, { record = false } = {}) {
    const controlFile = join(directory, 'control')
    const recordFile = join(directory, 'record')
    this.#control = openSync(controlFile, 'w+')
    writeSync(this.#control, new Uint8Array(4096))
    this.#record = record ? openSync(recordFile, 'w+') : undefined
    this.env = {
      LD_PRELOAD: library(),
      CRASH_ROOT: root,
      CRASH_CONTROL: controlFile,
      ...(record && { CRASH_RECORD: recordFile }),
    }
  }

  killAt({ operation, kind, moment, nth }: Point): void {
    const armed = [operations.indexOf(operation) + 1, kinds.indexOf(kind) + 1, moments.indexOf(moment), nth, 0]
    writeSync(this.#control, Uint32Array.from(armed), 0, 20, 4)
    writeSync(this.#control, Uint32Array.of(1), 0, 4, 0)
  }

  disarm(): void {
    writeSync(this.#control, Uint32Array.of(0), 0, 4, 0)
  }

  /** Whether the process has died where it was to die. */
  get hit(): boolean {
    return this.#read()[5] === 1
  }

  counts(): Counts {
    const control = this.#read()
    const counted = operations.flatMap((operation, row) =>
      kinds.map((kind, column): [string, number] => [
        `${operation} ${kind}`,
        control[countedAt + (row + 1) * kindsInC + column + 1] ?? 0,
      ]),
    )
    return new Map(counted)
  }

  /** Size of the record so far: everything that has happened before is in it. */
  get position(): number {
    return this.#record === undefined ? 0 : fstatSync(this.#record).size
  }

  record(): Buffer {
    if (this.#record === undefined) throw new Error('nothing was recorded')
    const bytes = Buffer.alloc(this.position)
    readSync(this.#record, bytes, 0, bytes.length, 0)
    return bytes
  }

  #read(): Uint32Array {
    const control = new Uint32Array(words)
    readSync(this.#control, control, 0, control.byteLength, 0)
    return control
  }

  [Symbol.dispose](): void {
    closeSync(this.#control)
    if (this.#record !== undefined) closeSync(this.#record)
  }
}
