import { unreadableTar } from './tar-fields.ts'

/** Keys and values in which each character is one octet. */
export type PaxRecords = ReadonlyMap<string, string>

/**
 * `<length> <key>=<value>\n`, one after another. Source: POSIX.1-2008, pax, "pax Extended Header". The pairs of GNU's sparse format 0.0, which
 * repeat their keys, become the list that format 0.1 has (GNU tar manual, "Storing Sparse Files"). Throws BAD_REQUEST.
 */
export function parsePaxRecords(bytes: Buffer): PaxRecords {
  const records = new Map<string, string>()
  const map: string[] = []
  for (let at = 0; at < bytes.length;) {
    const { key, value, end } = recordAt(bytes, at)
    if (key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes') map.push(value)
    else records.set(key, value)
    at = end
  }
  if (map.length > 0) records.set('GNU.sparse.map', map.join(','))
  return records
}

function recordAt(bytes: Buffer, start: number): { key: string; value: string; end: number } {
  // No length that could be true has more digits.
  const blank = bytes.subarray(start, start + 10).indexOf(' ')
  const digits = bytes.toString('latin1', start, start + Math.max(blank, 0))
  const end = start + Number(digits)
  const record = bytes.toString('latin1', start + blank + 1, end)
  const equals = record.indexOf('=')
  if (!/^[0-9]+$/.test(digits) || end > bytes.length || !record.endsWith('\n') || equals < 1)
    throw unreadableTar('expected extended header records of the form "<length> <key>=<value>"')
  return { key: record.slice(0, equals), value: record.slice(equals + 1, -1), end }
}
