import { RegistryError } from '../../domain/errors.ts'
import type { ByteRange } from '../../../wire/byte-range.ts'

const form = /^(?:bytes[ =])?(\d{1,15})-(\d{1,15})(?:\/(?:\d+|\*))?$/

/**
 * Where a chunk belongs: OCI distribution 1.1 has `0-1023`, some clients send RFC 9110's `bytes 0-1023/*`. Undefined
 * without the header. Throws BAD_REQUEST.
 */
export function parseContentRange(header: string | undefined): ByteRange | undefined {
  if (header === undefined) return undefined
  const match = form.exec(header.trim())
  const range = { first: Number(match?.[1]), last: Number(match?.[2]) }
  if (match && range.first <= range.last) return range
  throw new RegistryError('BAD_REQUEST', {
    message: 'the Content-Range is not <first byte>-<last byte>',
    detail: { 'Content-Range': header },
  })
}

/** The `Range` of an upload names its last byte, so that an empty one also reads `0-0`. */
export function formatReceived(bytes: number): string {
  return `0-${Math.max(0, bytes - 1)}`
}
