export const sizeOfPattern = 3_000_000

/** So many bytes, the same every time, and no two parts alike. */
export function patternOf(size: number): Buffer {
  const numbers = Array.from({ length: Math.ceil(size / 8) }, (_, index) => String(index).padStart(8))
  return Buffer.from(numbers.join('')).subarray(0, size)
}
