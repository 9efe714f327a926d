/** An entry of a tar archive; what is not said is what a small file has. */
export interface TarEntry {
  readonly name: string
  /** `'0'` file, `'1'` hard link, `'2'` symbolic link, `'3'` `'4'` devices, `'5'` directory; others as they are. */
  readonly typeflag?: string
  readonly content?: string | Uint8Array
  readonly mode?: number
  readonly uid?: number
  readonly gid?: number
  /** As the header says it; of the content, unless something else is to be said. */
  readonly size?: number
  readonly mtime?: number
  readonly linkname?: string
  readonly uname?: string
  readonly gname?: string
  readonly device?: readonly [major: number, minor: number]
  /** In a pax header of its own before the entry. */
  readonly records?: Readonly<Record<string, string>>
}

/** A tar archive in the format that docker's layers have: ustar, and pax records where they are given. */
export function layerTar(entries: readonly TarEntry[]): Buffer {
  return Buffer.concat([...entries.flatMap(blocksOf), Buffer.alloc(1024)])
}

/** The blocks of one entry, for archives that are not as they should be. */
export function blocksOf(entry: TarEntry): readonly Buffer[] {
  const content = Buffer.from(entry.content ?? '')
  const padding = Buffer.alloc((512 - (content.length % 512)) % 512)
  return [...recordsBefore(entry), headerOf(entry, content.length), content, padding]
}

function recordsBefore({ records }: TarEntry): readonly Buffer[] {
  if (!records) return []
  const content = Object.entries(records).map(([key, value]) => record(key, value))
  return blocksOf({ name: 'PaxHeaders.0/x', typeflag: 'x', content: content.join('') })
}

function record(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`
  const length = (digits: number): number => Buffer.byteLength(rest) + digits
  const digits = [1, 2, 3, 4, 5, 6, 7].find((digits) => String(length(digits)).length === digits) ?? 0
  return `${length(digits)}${rest}`
}

function headerOf(entry: TarEntry, contentBytes: number): Buffer {
  const header = Buffer.alloc(512)
  const octal = (value: number, start: number, digits: number): unknown =>
    header.write(value.toString(8).padStart(digits, '0'), start)
  const { name, typeflag = '0', mode = 0o644, uid = 0, gid = 0, size = contentBytes, mtime = 1_400_000_000 } = entry
  header.write(name.slice(0, 100), 0)
  octal(mode, 100, 7)
  octal(uid, 108, 7)
  octal(gid, 116, 7)
  octal(size, 124, 11)
  octal(mtime, 136, 11)
  header.write(`${' '.repeat(8)}${typeflag}`, 148, 'latin1')
  header.write(entry.linkname ?? '', 157)
  header.write('ustar\x0000', 257)
  header.write(entry.uname ?? '', 265)
  header.write(entry.gname ?? '', 297)
  octal(entry.device?.[0] ?? 0, 329, 7)
  octal(entry.device?.[1] ?? 0, 337, 7)
  return withChecksum(header)
}

/** Of a header that somebody has changed, too. */
export function withChecksum(header: Buffer): Buffer {
  header.fill(' ', 148, 156)
  const sum = header.reduce((sum, octet) => sum + octet, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return header
}
