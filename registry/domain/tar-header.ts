import { isAscii } from 'node:buffer'
import type { PaxRecords } from './pax-records.ts'
import { number, parseDecimal, text, tryNumber, unreadableTar } from './tar-fields.ts'

/** What precedes an entry of a tar archive. In its strings each character is one octet: names are bytes, in no encoding. */
export interface TarHeader {
  readonly name: string
  readonly mode: bigint
  readonly uid: bigint
  readonly gid: bigint
  /** Of a sparse file: with its holes. */
  readonly size: bigint
  /** Seconds since 1970. */
  readonly mtime: bigint
  /** One character. A NUL, which is an old way to say `0`, stays one: docker's checksums tell them apart. */
  readonly typeflag: string
  readonly linkname: string
  readonly uname: string
  readonly gname: string
  readonly devmajor: bigint
  readonly devminor: bigint
  /** By name, without `SCHILY.xattr.`. */
  readonly xattrs: ReadonlyMap<string, string>
  /** The extensions of GNU tar are valid only below its own magic. */
  readonly isGnu: boolean
}

export const blockBytes = 512
const [nul, space] = [0x00, 0x20]

/**
 * Reads a header as Go's archive/tar of docker 1.3 to 17.11 does: it made, and checks, the checksums of layers. Sources: POSIX.1-2008
 * "ustar Interchange Format"; GNU tar manual, "Basic Tar Format". Throws BAD_REQUEST.
 */
export function parseTarHeader(block: Buffer): TarHeader {
  checkSum(block)
  const magic = block.toString('latin1', 257, 265)
  const typeflag = text(block, 156, 157) || '\0'
  const name = text(block, 0, 100)
  const isGnu = magic === 'ustar  \0'
  const isKnown = isGnu || magic.startsWith('ustar\0')
  // Of anything but a device, old versions of Go ignore these numbers, and others write what they like there.
  const isDevice = isKnown && (typeflag === '3' || typeflag === '4')
  const prefix = isKnown ? prefixOf(block, isGnu) : ''
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    mode: number(block, 100, 108),
    uid: number(block, 108, 116),
    gid: number(block, 116, 124),
    size: number(block, 124, 136),
    mtime: number(block, 136, 148),
    typeflag,
    linkname: text(block, 157, 257),
    uname: isKnown ? text(block, 265, 297) : '',
    gname: isKnown ? text(block, 297, 329) : '',
    devmajor: isDevice ? number(block, 329, 337) : 0n,
    devminor: isDevice ? number(block, 337, 345) : 0n,
    xattrs: new Map(),
    isGnu,
  }
}

/** What the records before it say of an entry. An empty value leaves what the header has. */
export function withRecords(header: TarHeader, records: PaxRecords): TarHeader {
  const value = (key: string): string | undefined => records.get(key) || undefined
  const integer = (key: string, otherwise: bigint): bigint => parseDecimal(value(key)) ?? otherwise
  const xattrs = [...records].filter(([key]) => key.startsWith(xattrPrefix))
  return {
    ...header,
    name: value('path') ?? header.name,
    uid: integer('uid', header.uid),
    gid: integer('gid', header.gid),
    size: integer('size', header.size),
    mtime: parseSeconds(value('mtime')) ?? header.mtime,
    linkname: value('linkpath') ?? header.linkname,
    uname: value('uname') ?? header.uname,
    gname: value('gname') ?? header.gname,
    xattrs: new Map(xattrs.map(([key, value]) => [key.slice(xattrPrefix.length), value])),
  }
}

const xattrPrefix = 'SCHILY.xattr.'

/** Links, devices, directories and FIFOs have no content, whatever size they claim. */
export function hasContent({ typeflag }: TarHeader): boolean {
  return !'123456'.includes(typeflag)
}

/** Sun's tar added up signed octets. */
function checkSum(block: Buffer): void {
  let [unsigned, signed] = [0, 0]
  for (let at = 0; at < blockBytes; at++) {
    const octet = at >= 148 && at < 156 ? space : (block[at] ?? 0)
    unsigned += octet
    signed += octet < 0x80 ? octet : octet - 0x100
  }
  const expected = tryNumber(block, 148, 156)
  if (expected !== BigInt(unsigned) && expected !== BigInt(signed)) throw unreadableTar('a header has a wrong checksum')
}

/**
 * GNU tar has two times where POSIX has the beginning of a long path. Go before 1.8, and so every docker that pushes by the V1 API, nevertheless
 * wrote such beginnings there below GNU's magic: always after a number too large for octal digits (golang.org/issue/12594).
 */
function prefixOf(block: Buffer, isGnu: boolean): string {
  if (!isGnu) return text(block, 345, block.toString('latin1', 508, 512) === 'tar\0' ? 476 : 500)
  const areTimes = [345, 357].every((at) => block[at] === nul || tryNumber(block, at, at + 12) !== undefined)
  const prefix = areTimes ? '' : text(block, 345, 500)
  return isAscii(Buffer.from(prefix, 'latin1')) ? prefix : ''
}

/** `-12.5`, rounded down, as the seconds of a time are. */
function parseSeconds(value: string | undefined): bigint | undefined {
  if (value === undefined) return undefined
  const [whole = '', fraction = ''] = value.split('.', 2)
  if (!/^[0-9]*$/.test(fraction)) throw unreadableTar(`expected a time: ${value.slice(0, 64)}`)
  const seconds = parseDecimal(whole)
  const isBelow = whole.startsWith('-') && /[1-9]/.test(fraction.slice(0, 9))
  return seconds !== undefined && isBelow ? seconds - 1n : seconds
}
