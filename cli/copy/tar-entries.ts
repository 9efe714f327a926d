import type { FileHandle } from 'node:fs/promises'
import { posix } from 'node:path'

/** Where in a tar file something lies; libraries read such a file from its start to its end, and layers are wanted in any order. */
export type TarEntry =
  | { readonly kind: 'file'; readonly offset: number; readonly size: number }
  /** Of either kind; `to` is a path in the archive. */
  | { readonly kind: 'link'; readonly to: string }

const block = 512
const maxExtensionBytes = 1024 * 1024

/** By path, without `./`. What lies outside of the archive by its name is left out: nobody can ask for it. Throws for what is no tar file. */
export async function readTarEntries(handle: FileHandle): Promise<ReadonlyMap<string, TarEntry>> {
  const { size: end } = await handle.stat()
  const entries = new Map<string, TarEntry>()
  let told: Extension = {}
  for (let at = 0; at + block <= end;) {
    const header = await bytesAt(handle, at, block)
    if (header.every((octet) => octet === 0)) break
    refuseWrongSum(header, at)
    const type = String.fromCharCode(header[156] ?? 0)
    const size = told.size ?? numberIn(header, 124, 12)
    const offset = at + block
    at = offset + Math.ceil(size / block) * block
    if (at > end + block) throw new Error(`the tar file is cut off: an entry at ${offset} has ${size} bytes`)
    if ('LKxg'.includes(type)) {
      if (size > maxExtensionBytes) throw new Error(`the tar file has a name of ${size} bytes`)
      told = { ...told, ...extensionOf(type, await bytesAt(handle, offset, size)) }
      continue
    }
    const name = inside(told.name ?? nameIn(header))
    const target = told.link ?? textIn(header, 157, 100)
    if (name !== undefined && isRegular(type)) entries.set(name, { kind: 'file', offset, size })
    if (name !== undefined && type === '1') addLink(entries, name, inside(target))
    if (name !== undefined && type === '2')
      addLink(entries, name, inside(posix.join(posix.dirname(name), target), target))
    told = {}
  }
  return entries
}

interface Extension {
  readonly name?: string
  readonly link?: string
  readonly size?: number
}

/** GNU's long names, and POSIX.1-2001, "pax Extended Header". */
function extensionOf(type: string, bytes: Buffer): Extension {
  if (type === 'L') return { name: textIn(bytes, 0, bytes.length) }
  if (type === 'K') return { link: textIn(bytes, 0, bytes.length) }
  if (type === 'g') return {}
  const records = paxRecords(bytes)
  const [name, link, size] = [records.get('path'), records.get('linkpath'), records.get('size')]
  return {
    ...(name !== undefined && { name }),
    ...(link !== undefined && { link }),
    ...(size !== undefined && /^\d{1,15}$/.test(size) && { size: Number(size) }),
  }
}

function paxRecords(bytes: Buffer): ReadonlyMap<string, string> {
  const records = new Map<string, string>()
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(0x20, at)
    const length = Number(bytes.toString('latin1', at, space))
    if (space === -1 || !Number.isInteger(length) || length < 1) return records
    const record = bytes.toString('utf8', space + 1, at + length - 1)
    const equals = record.indexOf('=')
    records.set(record.slice(0, equals), record.slice(equals + 1))
    at += length
  }
  return records
}

function addLink(entries: Map<string, TarEntry>, name: string, to: string | undefined): void {
  if (to !== undefined) entries.set(name, { kind: 'link', to })
}

/** The path in the archive; undefined when it leads out of it. `said`: how it stands there. */
function inside(path: string, said = path): string | undefined {
  const normal = posix.normalize(path)
  return said.startsWith('/') || normal === '..' || normal.startsWith('../') ? undefined : normal.replace(/\/$/, '')
}

function nameIn(header: Buffer): string {
  const isPosix = header.toString('latin1', 257, 263) === 'ustar\0'
  const prefix = isPosix ? textIn(header, 345, 155) : ''
  return prefix === '' ? textIn(header, 0, 100) : `${prefix}/${textIn(header, 0, 100)}`
}

function textIn(bytes: Buffer, at: number, length: number): string {
  const [text = ''] = bytes.toString('utf8', at, at + length).split('\0')
  return text
}

/** Octal digits, or GNU's base 256 for what is larger. */
function numberIn(header: Buffer, at: number, length: number): number {
  if (((header[at] ?? 0) & 0x80) !== 0) return header.readUIntBE(at + length - 6, 6)
  const text = textIn(header, at, length).trim()
  if (/^[0-7]*$/.test(text)) return Number.parseInt(text || '0', 8)
  throw new Error('not a tar file: expected octal digits in its header')
}

function refuseWrongSum(header: Buffer, at: number): void {
  const said = numberIn(header, 148, 8)
  const sum = header.reduce((sum, octet, index) => sum + (index >= 148 && index < 156 ? 0x20 : octet), 0)
  if (sum !== said) throw new Error(`not a tar file: the header at ${at} is damaged`)
}

async function bytesAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const { bytesRead, buffer } = await handle.read({ buffer: Buffer.alloc(length), position })
  if (bytesRead < length) throw new Error('the tar file is cut off')
  return buffer
}

/** The form of before 1988 has a NUL, and `7` is a file whose blocks lie together. */
function isRegular(type: string): boolean {
  return type === '0' || type === '\x00' || type === '7'
}
