import { RegistryError } from './errors.ts'

const maxInt64 = 2n ** 63n - 1n
const [nul, space] = [0x00, 0x20]

/** Up to the first NUL. */
export function text(block: Buffer, start: number, end: number): string {
  const at = block.subarray(start, end).indexOf(nul)
  return block.toString('latin1', start, at === -1 ? end : start + at)
}

/** Octal digits between NULs and spaces; or, when the first bit is set, a big-endian two's complement (GNU and star). */
export function number(block: Buffer, start: number, end: number): bigint {
  const value = tryNumber(block, start, end)
  if (value === undefined) throw unreadableTar(`expected a number at octet ${start} of a header`)
  return value
}

/** Undefined when there is none. */
export function parseDecimal(digits: string | undefined): bigint | undefined {
  if (digits === undefined) return undefined
  // The longest of 64 bits has 19 digits; what is cut off here is refused anyway.
  if (!/^[+-]?[0-9]{1,64}$/.test(digits)) throw unreadableTar(`expected a decimal number: ${digits.slice(0, 64)}`)
  const value = BigInt(digits.replace('+', ''))
  if (value > maxInt64 || value < -maxInt64 - 1n) throw unreadableTar('expected a number of at most 64 bits')
  return value
}

export function unreadableTar(problem: string, cause?: unknown): RegistryError {
  return new RegistryError('BAD_REQUEST', {
    message: `not a tar archive that this registry can read: ${problem}`,
    cause,
  })
}

/** Undefined when it is neither. */
export function tryNumber(block: Buffer, start: number, end: number): bigint | undefined {
  if (((block[start] ?? 0) & 0x80) !== 0) return tryBinary(block.subarray(start, end))
  let [first, last] = [start, end]
  while (first < last && isBlank(block[first])) first++
  while (first < last && isBlank(block[last - 1])) last--
  const digits = text(block, first, last)
  if (digits === '') return 0n
  // At most twelve of them: exact in a double.
  return /^[0-7]+$/.test(digits) ? BigInt(Number.parseInt(digits, 8)) : undefined
}

function tryBinary(field: Buffer): bigint | undefined {
  // The first bit only says that this is no octal number; the second is the sign.
  const value = BigInt.asIntN(field.length * 8 - 1, BigInt(`0x${field.toString('hex')}`))
  return value > maxInt64 || value < -maxInt64 - 1n ? undefined : value
}

function isBlank(octet: number | undefined): boolean {
  return octet === nul || octet === space
}
