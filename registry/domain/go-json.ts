import { isObject, parseJson } from './json.ts'

/** JSON as programs in Go write it: what docker hashes and signs is texts of theirs, so that each character counts. */

/** Go's encoding/json, before Go 1.22: escapes for HTML and for JavaScript, and none of `\b` and `\f`. */
export function goString(text: string): string {
  const escaped = text.toWellFormed().replaceAll(/["\\\u0000-\u001F<>&\u2028\u2029]/g, escape) // eslint-disable-line no-control-regex
  return `"${escaped}"`
}

const short: ReadonlyMap<string, string> = new Map([
  ['"', '\\"'],
  ['\\', '\\\\'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
])

function escape(character: string): string {
  return short.get(character) ?? unicodeEscape(character)
}

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/** Members by key, each value the text that stands there, so that no number changes. Undefined for what is no JSON object. */
export function rawMembers(bytes: Uint8Array): ReadonlyMap<string, string> | undefined {
  const parsed = parseJson(bytes)
  if (!('value' in parsed) || !isObject(parsed.value)) return undefined
  const text = new TextDecoder('utf-8').decode(bytes)
  const members = new Map<string, string>()
  let at = text.indexOf('"')
  while (at !== -1) {
    const key = text.slice(at, endOfString(text, at))
    const from = text.indexOf(':', at + key.length) + 1
    const to = endOfValue(text, from)
    members.set(JSON.parse(key) as string, text.slice(from, to).trim())
    at = text[to] === ',' ? text.indexOf('"', to) : -1
  }
  return members
}

/** A map of raw values: keys in the order of their octets, values without white space and escaped as {@link goString} does. */
export function goObject(members: ReadonlyMap<string, string>): string {
  const inOrder = [...members].sort(([one], [other]) => Buffer.compare(Buffer.from(one), Buffer.from(other)))
  return `{${inOrder.map(([key, value]) => `${goString(key)}:${compact(value)}`).join(',')}}`
}

function compact(text: string): string {
  let compacted = ''
  let at = 0
  while (at < text.length) {
    const quote = text.indexOf('"', at)
    const end = quote === -1 ? text.length : quote
    compacted += text.slice(at, end).replaceAll(/[ \t\r\n]/g, '')
    at = quote === -1 ? end : endOfString(text, quote)
    compacted += text.slice(end, at).replaceAll(/[<>&\u2028\u2029]/g, unicodeEscape)
  }
  return compacted
}

/** Behind the string that begins at the quote; the text is JSON. */
function endOfString(text: string, quote: number): number {
  let at = quote + 1
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return at + 1
}

/** Where the comma or the brace stands that follows the value. */
function endOfValue(text: string, from: number): number {
  let depth = 0
  let at = from
  while (at < text.length) {
    const character = text[at]
    if (character === '"') {
      at = endOfString(text, at)
      continue
    }
    if (depth === 0 && (character === ',' || character === '}')) break
    if (character === '{' || character === '[') depth++
    if (character === '}' || character === ']') depth--
    at++
  }
  return at
}
