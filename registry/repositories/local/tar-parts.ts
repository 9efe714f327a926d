import { parsePaxRecords, type PaxRecords } from '../../domain/pax-records.ts'
import {
  checkFragments,
  fragmentsOfBlock,
  paxSparse,
  safe,
  SparseLines,
  type Fragment,
} from '../../domain/sparse-map.ts'
import { number, parseDecimal, text, unreadableTar } from '../../domain/tar-fields.ts'
import { blockBytes, hasContent, parseTarHeader, withRecords, type TarHeader } from '../../domain/tar-header.ts'
import { ByteSource } from './byte-source.ts'

/** An entry, and then its content: what is in the archive, and how many zeros a sparse file has in between. */
export type TarPart =
  | { readonly kind: 'entry'; readonly header: TarHeader }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'hole'; readonly length: number }

/** Nobody made a layer of more than that; a few of its bytes, compressed, can stand for very many. */
export const maxTarBytes = 64 * 1024 ** 3
/** Names and records that go before an entry; archive/tar has the same limit. */
const maxNoteBytes = 1024 * 1024
const zeros = Buffer.alloc(blockBytes)

/** What is said of the entry that comes next. */
interface Notes {
  readonly records: PaxRecords
  readonly name: string
  readonly linkname: string
}
const noNotes: Notes = { records: new Map(), name: '', linkname: '' }

/**
 * Reads a tar archive of any of the usual formats: v7, ustar, pax, GNU, star. An archive may end with its last entry. Of global pax headers
 * nothing is taken over; they are entries, as they are for docker's checksums. Own code, because libraries hand out names in UTF-8, rounded
 * times and numbers, and types as words, of which docker's checksums cannot be made. Throws BAD_REQUEST.
 */
export async function* tarParts(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<TarPart> {
  await using source = new ByteSource(bytes)
  let notes = noNotes
  for (;;) {
    const block = await headerBlock(source)
    if (!block) return
    const header = parseTarHeader(block)
    if ('xLK'.includes(header.typeflag)) notes = { ...notes, ...(await noteOf(header, source)) }
    else {
      yield* entryParts(withNotes(header, notes), notes.records, block, source)
      notes = noNotes
    }
  }
}

/** Undefined at the end of the archive: two blocks of zeros, or one, or none. */
async function headerBlock(source: ByteSource): Promise<Buffer | undefined> {
  const block = await blockOf(source)
  if (!block?.equals(zeros)) return block
  const second = await blockOf(source)
  if (second && !second.equals(zeros)) throw unreadableTar('a block of zeros between entries')
  return undefined
}

async function blockOf(source: ByteSource): Promise<Buffer | undefined> {
  const block = await source.take(blockBytes)
  if (block.length === 0) return undefined
  if (block.length < blockBytes) throw unreadableTar('it ends within a header')
  return block
}

/** A pax header, or a long name of GNU's format. */
async function noteOf(header: TarHeader, source: ByteSource): Promise<Partial<Notes>> {
  const size = safe(header.size)
  if (size > maxNoteBytes) throw unreadableTar(`a name or record of ${size} octets, at most ${maxNoteBytes} are read`)
  const note = await source.take(size)
  if (note.length < size) throw unreadableTar('it ends within a header')
  await source.skip(paddingOf(size))
  switch (header.typeflag) {
    case 'x':
      return { records: parsePaxRecords(note) }
    case 'L':
      return { name: text(note, 0, size) }
    default:
      return { linkname: text(note, 0, size) }
  }
}

function withNotes(header: TarHeader, { records, name, linkname }: Notes): TarHeader {
  const said = records.size > 0 ? withRecords(header, records) : header
  return { ...said, name: name || said.name, linkname: linkname || said.linkname }
}

async function* entryParts(
  header: TarHeader,
  records: PaxRecords,
  block: Buffer,
  source: ByteSource,
): AsyncGenerator<TarPart> {
  const stored = hasContent(header) ? safe(header.size) : 0
  const sparse = hasContent(header) ? await sparseFile(header, records, block, stored, source) : undefined
  yield { kind: 'entry', header: sparse?.header ?? header }
  if (sparse) yield* sparseContent(sparse, source)
  else yield* content(stored, source)
  await source.skip(paddingOf(stored))
}

/** Missing padding after the last entry is no matter. */
function paddingOf(size: number): number {
  return (blockBytes - (size % blockBytes)) % blockBytes
}

async function* content(length: number, source: ByteSource): AsyncGenerator<TarPart> {
  for (let left = length; left > 0;) {
    const bytes = await source.some(left)
    if (bytes.length === 0) throw unreadableTar('it ends within a file')
    left -= bytes.length
    yield { kind: 'bytes', bytes }
  }
}

interface SparseFile {
  readonly header: TarHeader
  readonly fragments: readonly Fragment[]
}

async function* sparseContent({ header, fragments }: SparseFile, source: ByteSource): AsyncGenerator<TarPart> {
  let position = 0
  for (const { offset, length } of fragments) {
    if (offset > position) yield { kind: 'hole', length: offset - position }
    yield* content(length, source)
    position = offset + length
  }
  const size = Number(header.size)
  if (size > position) yield { kind: 'hole', length: size - position }
}

/** Undefined when the file is not sparse. */
async function sparseFile(
  header: TarHeader,
  records: PaxRecords,
  block: Buffer,
  stored: number,
  source: ByteSource,
): Promise<SparseFile | undefined> {
  // docker wrote sparse files out with all their zeros, and left this type on them, below another magic.
  if (header.typeflag === 'S' && header.isGnu) return oldSparseFile(header, block, stored, source)
  const sparse = paxSparse(records)
  if (!sparse) return undefined
  const size = parseDecimal(records.get('GNU.sparse.size') || records.get('GNU.sparse.realsize')) ?? header.size
  const whole = { ...header, name: records.get('GNU.sparse.name') || header.name, size }
  const map = sparse.kind === 'blocks' ? await mapBeforeContent(stored, source) : { ...sparse, bytes: 0 }
  checkFragments(map.fragments, safe(size), stored - map.bytes)
  return { header: whole, fragments: map.fragments }
}

async function oldSparseFile(
  header: TarHeader,
  block: Buffer,
  stored: number,
  source: ByteSource,
): Promise<SparseFile> {
  const whole = { ...header, size: number(block, 483, 495) }
  const fragments = [...fragmentsOfBlock(block, 386, 4)]
  let isContinued = block[482] !== 0
  for (let bytes = 0; isContinued; bytes += blockBytes) {
    const next = await blockOf(source)
    if (!next || bytes > maxNoteBytes) throw unreadableTar('expected the map of a sparse file')
    fragments.push(...fragmentsOfBlock(next, 0, 21))
    isContinued = next[504] !== 0
  }
  checkFragments(fragments, safe(whole.size), stored)
  return { header: whole, fragments }
}

/** Lines in whole blocks: how many fragments there are, and of each the offset and the length. */
async function mapBeforeContent(
  stored: number,
  source: ByteSource,
): Promise<{ fragments: readonly Fragment[]; bytes: number }> {
  const lines = new SparseLines()
  for (let bytes = blockBytes; bytes <= Math.min(stored, maxNoteBytes); bytes += blockBytes) {
    const block = await blockOf(source)
    if (!block) break
    lines.add(block)
    if (lines.areComplete) return { fragments: lines.fragments(), bytes }
  }
  throw unreadableTar('expected the map of a sparse file')
}
