import { createHash, hash, type Hash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import type { TarHeader } from '../../domain/tar-header.ts'
import { maxTarBytes, tarParts } from './tar-parts.ts'

/** docker's checksums of the contents of a layer, together with the JSON of its image. */
export interface TarSums {
  /** `tarsum+sha256:<hex>`: what docker sends as `X-Docker-Checksum`. */
  readonly v0: string
  /** `tarsum.v1+sha256:<hex>`: without the times, with the extended attributes. */
  readonly v1: string
  /**
   * Whether docker must have had the same `v0`. It sums the times that files have, and writes 0 for those before 1970 or after 2242: what has a 0 in the archive
   * may have been summed as something else.
   */
  readonly isV0Certain: boolean
}

interface EntrySums {
  /** Tells the names of entries apart. */
  readonly name: string
  readonly place: number
  readonly hasTime: boolean
  readonly v0: string
  readonly v1: string
}

// Of what goes beyond these nobody made a layer, and to read it would cost whoever sent it nothing.
const maxEntries = 100_000
/** Of sparse files: zeros that nobody had to send, not even compressed. */
const maxHoleBytes = 256 * 1024 ** 2
const zeros = Buffer.alloc(1024 * 1024)

/**
 * Source: moby, pkg/tarsum/tarsum_spec.md and the package as of docker 1.3 to 17.11, which uses version 0 for its pushes. Undefined when the archive is
 * too large. Throws BAD_REQUEST when it is broken.
 */
export async function tarSumsOf(json: Uint8Array, tar: AsyncIterable<Uint8Array>): Promise<TarSums | undefined> {
  const entries: EntrySums[] = []
  let open: OpenEntry | undefined
  let [bytes, holeBytes] = [0, 0]
  for await (const part of tarParts(tar)) {
    if (part.kind === 'entry') {
      if (open) entries.push(open.close(entries.length))
      open = new OpenEntry(part.header)
    } else if (part.kind === 'bytes') {
      bytes += part.bytes.length
      open?.update(part.bytes)
    } else {
      holeBytes += part.length
      if (holeBytes <= maxHoleBytes) await open?.updateWithZeros(part.length)
    }
    if (entries.length > maxEntries || bytes > maxTarBytes || holeBytes > maxHoleBytes) return undefined
  }
  if (open) entries.push(open.close(entries.length))
  return together(json, entries)
}

/** The sums of one entry over its header, key by key and value by value without anything between, and its content. */
class OpenEntry {
  readonly #name: string
  readonly #hasTime: boolean
  readonly #v0: Hash
  readonly #v1: Hash

  constructor(header: TarHeader) {
    this.#hasTime = Number(header.mtime) !== 0
    this.#name = header.name.replace(/^\.\//, '').replace(/\/$/, '')
    const { name, mode, uid, gid, size, typeflag, linkname, uname, gname, devmajor, devminor } = header
    const before = `name${name}mode${mode}uid${uid}gid${gid}size${size}`
    const after = `typeflag${typeflag}linkname${linkname}uname${uname}gname${gname}devmajor${devmajor}devminor${devminor}`
    this.#v0 = createHash('sha256').update(`${before}mtime${header.mtime}${after}`, 'latin1')
    this.#v1 = createHash('sha256').update(`${before}${after}${xattrsOf(header)}`, 'latin1')
  }

  update(bytes: Uint8Array): void {
    this.#v0.update(bytes)
    this.#v1.update(bytes)
  }

  async updateWithZeros(length: number): Promise<void> {
    this.update(zeros.subarray(0, length))
    for (let left = length - zeros.length; left > 0; left -= zeros.length) {
      // Nothing is awaited here that would let others have their turn.
      await setImmediate()
      this.update(zeros.subarray(0, left))
    }
  }

  close(place: number): EntrySums {
    // A name may be long; many of them are kept.
    const name = hash('sha256', this.#name)
    return { name, place, hasTime: this.#hasTime, v0: this.#v0.digest('hex'), v1: this.#v1.digest('hex') }
  }
}

function xattrsOf({ xattrs }: TarHeader): string {
  // By their octets; these strings have no others.
  const names = [...xattrs.keys()].sort()
  return names.map((name) => `${name}${xattrs.get(name)}`).join('')
}

function together(json: Uint8Array, entries: readonly EntrySums[]): TarSums | undefined {
  const [v0, v1] = [inOrder(entries, 'v0'), inOrder(entries, 'v1')]
  if (!v0 || !v1) return undefined
  return {
    v0: `tarsum+sha256:${sumOf(json, v0)}`,
    v1: `tarsum.v1+sha256:${sumOf(json, v1)}`,
    isV0Certain: entries.every(({ hasTime }) => hasTime),
  }
}

function sumOf(json: Uint8Array, sums: readonly string[]): string {
  const all = createHash('sha256').update(json)
  for (const sum of sums) all.update(sum)
  return all.digest('hex')
}

/**
 * Entries of different names are ordered by their sums, of the same name by their places in the archive. Undefined when both cannot hold at once: docker's
 * result then depends on how its version of Go sorts.
 */
function inOrder(entries: readonly EntrySums[], version: 'v0' | 'v1'): readonly string[] | undefined {
  const bySum = entries.toSorted((a, b) => compare(a[version], b[version]) || a.place - b.place)
  const ordered: EntrySums[] = []
  const lastPlaces = new Map<string, number>()
  for (const run of runsOfName(bySum))
    for (const entry of run.sort((a, b) => a.place - b.place)) {
      if ((lastPlaces.get(entry.name) ?? -1) > entry.place) return undefined
      lastPlaces.set(entry.name, entry.place)
      ordered.push(entry)
    }
  return ordered.map((entry) => entry[version])
}

function* runsOfName(entries: readonly EntrySums[]): Generator<EntrySums[]> {
  let run: EntrySums[] = []
  for (const entry of entries) {
    if (run[0] && run[0].name !== entry.name) {
      yield run
      run = []
    }
    run.push(entry)
  }
  if (run.length > 0) yield run
}

function compare(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
