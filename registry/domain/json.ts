/** Manifests nest five deep; annotations are flat. */
const maxDepth = 64

export type JsonObject = Readonly<Record<string, unknown>>
/** The value, or a sentence about why there is none. */
export type ParsedJson = { readonly value: unknown } | { readonly problem: string }

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Text in UTF-8 that nests no deeper than any honest manifest, so that nobody who reads it later runs out of stack. */
export function parseJson(bytes: Uint8Array): ParsedJson {
  if (nestsTooDeep(bytes)) return { problem: `expected JSON that nests at most ${maxDepth} deep` }
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    return { value }
  } catch (error) {
    const reason = error instanceof SyntaxError ? error.message : 'not UTF-8'
    return { problem: `expected a JSON object in UTF-8: ${reason}` }
  }
}

const [quote, backslash] = [0x22, 0x5c]
const opening = new Set([0x5b, 0x7b])
const closing = new Set([0x5d, 0x7d])

/** Brackets outside of strings; in UTF-8 no other character contains these octets. */
function nestsTooDeep(bytes: Uint8Array): boolean {
  let depth = 0
  let quoted = false
  for (let at = 0; at < bytes.length; at++) {
    const octet = bytes[at] ?? 0
    if (quoted && octet === backslash) at++
    else if (octet === quote) quoted = !quoted
    else if (quoted) continue
    else if (opening.has(octet) && ++depth > maxDepth) return true
    else if (closing.has(octet)) depth--
  }
  return false
}
