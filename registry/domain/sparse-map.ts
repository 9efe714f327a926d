import type { PaxRecords } from './pax-records.ts'
import { number, parseDecimal, unreadableTar } from './tar-fields.ts'

/** A part of a sparse file that is in the archive; between them are holes. */
export interface Fragment {
  readonly offset: number
  readonly length: number
}

/** How a file of GNU's sparse formats in pax headers says where its fragments are. Source: GNU tar manual, "Storing Sparse Files". */
export type PaxSparse =
  | { readonly kind: 'records'; readonly fragments: readonly Fragment[] }
  /** Format 1.0: in blocks before the content. */
  | { readonly kind: 'blocks' }

const newline = 0x0a

/** Undefined when the file is not sparse. */
export function paxSparse(records: PaxRecords): PaxSparse | undefined {
  const [major, minor] = [records.get('GNU.sparse.major'), records.get('GNU.sparse.minor')]
  if (major === '1' && minor === '0') return { kind: 'blocks' }
  const is0 = major === '0' && (minor === '0' || minor === '1')
  const isUnsaid = !major && !minor && records.has('GNU.sparse.map')
  if (!is0 && !isUnsaid) return undefined
  const list = records.get('GNU.sparse.map') ?? ''
  return { kind: 'records', fragments: pairs(list === '' ? [] : list.split(',')) }
}

/** Format 1.0: a line that says how many fragments there are, and two for each, its offset and its length. */
export class SparseLines {
  #text = ''
  #lines = 0
  #expected: number | undefined

  add(block: Buffer): void {
    this.#text += block.toString('latin1')
    for (const octet of block) if (octet === newline) this.#lines++
    if (this.#lines > 0) this.#expected ??= 1 + 2 * integer(this.#text.slice(0, this.#text.indexOf('\n')))
  }

  get areComplete(): boolean {
    return this.#expected !== undefined && this.#lines >= this.#expected
  }

  fragments(): readonly Fragment[] {
    return pairs(this.#text.split('\n', this.#expected).slice(1))
  }
}

/** The old format of GNU tar keeps four fragments in the header (at octet 386) and 21 in each block that follows it (at 0). */
export function fragmentsOfBlock(block: Buffer, start: number, count: number): readonly Fragment[] {
  const fragments: Fragment[] = []
  for (let at = start; at < start + count * 24 && block[at] !== 0; at += 24)
    fragments.push({ offset: safe(number(block, at, at + 12)), length: safe(number(block, at + 12, at + 24)) })
  return fragments
}

/** In order, inside of the file, and together what the archive has of it. Throws BAD_REQUEST. */
export function checkFragments(fragments: readonly Fragment[], size: number, stored: number): void {
  let [end, total] = [0, 0]
  for (const { offset, length } of fragments) {
    if (offset < end) throw unreadableTar('the fragments of a sparse file overlap')
    end = offset + length
    total += length
  }
  if (end > size || total !== stored) throw unreadableTar('the fragments of a sparse file do not make up the file')
}

/** Numbers of octets and positions, which nothing honest has beyond 2^53. */
export function safe(value: bigint): number {
  if (value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER)) throw unreadableTar(`a size of ${value} octets`)
  return Number(value)
}

function pairs(numbers: readonly string[]): readonly Fragment[] {
  if (numbers.length % 2 !== 0)
    throw unreadableTar('expected an offset and a length for each fragment of a sparse file')
  const fragments: Fragment[] = []
  for (let at = 0; at < numbers.length; at += 2)
    fragments.push({ offset: integer(numbers[at]), length: integer(numbers[at + 1]) })
  return fragments
}

function integer(digits: string | undefined): number {
  return safe(parseDecimal(digits) ?? 0n)
}
