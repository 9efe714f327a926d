const unitBytes = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
} as const
const form = /^(\d{1,15}) ?(B|[KMGT]i?B)$/
const shown = ['TiB', 'GiB', 'MiB', 'KiB', 'B'] as const

/** `4MiB`, `1GiB`, `500GB` or `0B`, up to what a number holds exactly (8191TiB). */
export function isSize(text: string): boolean {
  return Number.isSafeInteger(read(text))
}

/** Throws a RangeError for what is no size. */
export function bytesOf(size: string): number {
  if (isSize(size)) return read(size)
  throw new RangeError(`"${size}" is no size`)
}

/** For people, with one decimal at most: `1.5 GiB`. */
export function formatSize(bytes: number): string {
  const unit = shown.find((unit) => bytes >= unitBytes[unit]) ?? 'B'
  return `${Number((bytes / unitBytes[unit]).toFixed(1))} ${unit}`
}

function read(size: string): number {
  const [, count, unit] = form.exec(size) ?? []
  return Number(count) * unitBytes[unit as keyof typeof unitBytes]
}
