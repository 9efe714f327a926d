const form = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/

/** As Go writes a time of RFC 3339 that it has read: to the nanosecond, without zeros at the end. Undefined for what is none. */
export function goTime(text: unknown): string | undefined {
  if (text === undefined || text === null) return '0001-01-01T00:00:00Z' // the time that Go begins with
  const match = typeof text === 'string' ? form.exec(text) : null
  if (!match || Number.isNaN(Date.parse(`${match[1]}${match[3]}`))) return undefined
  const [, seconds = '', fraction = '', zone = ''] = match
  const digits = fraction.slice(0, 9).replace(/0+$/, '')
  return `${seconds}${digits && `.${digits}`}${/^[+-]00:00$/.test(zone) ? 'Z' : zone}`
}
