const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const form = /^(\d{1,9}) ?(ms|s|m|h|d)$/

/** `24h`, `7d`, `90s`, `15m` or `500ms`. */
export function isDuration(text: string): boolean {
  return form.test(text)
}

/** Throws a RangeError for what is no duration. */
export function milliseconds(duration: string): number {
  const [, count, unit] = form.exec(duration) ?? []
  if (unit === undefined) throw new RangeError(`"${duration}" is no duration`)
  return Number(count) * unitMs[unit as keyof typeof unitMs]
}
