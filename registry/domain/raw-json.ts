/**
 * JSON of which every value keeps its spelling: `1.0`, numbers that a double cannot hold, escapes. What it says is as a program in Go
 * writes it that passes values on as they are (`json.RawMessage`); digests of images rest on that.
 */

/** The members of an object, each value as its text. Of several with one name the last. `text` has been parsed as JSON before. */
export function rawMembers(text: string): Map<string, string> {
  return new Map(rawEntries(text))
}

/** The same in their order, with those that have one name. */
export function rawEntries(text: string): readonly (readonly [name: string, value: string])[] {
  return rawItems(text).map((member) => {
    const colon = endOfString(member, 0)
    return [JSON.parse(member.slice(0, colon)) as string, member.slice(colon + 1)]
  })
}

/** Of a list, each item as its text. */
export function rawItems(text: string): readonly string[] {
  const compacted = compact(text)
  const items: string[] = []
  let [depth, begin] = [0, 1]
  for (let at = 0; at < compacted.length; at++) {
    const character = compacted[at]
    if (character === '"') at = endOfString(compacted, at) - 1
    else if (character === '{' || character === '[') depth++
    else if (character === '}' || character === ']') depth--
    const ends = depth === 0 || (depth === 1 && compacted[at] === ',')
    if (!ends) continue
    if (at > begin) items.push(compacted.slice(begin, at))
    begin = at + 1
  }
  return items
}

/** An object with its members in the order of their names' bytes. */
export function sortedObject(members: ReadonlyMap<string, string>): string {
  return objectOf([...members].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b))))
}

/** With its members in this order. */
export function objectOf(members: Iterable<readonly [name: string, value: string]>): string {
  return `{${[...members].map(([name, value]) => `${quoted(name)}:${value}`).join(',')}}`
}

/** As docker's Go, which is older than 1.22, writes a string: those two control characters have no short escapes there. */
export function quoted(text: string): string {
  const escaped = JSON.stringify(text.toWellFormed()).replace(/\\./g, (escape) => {
    if (escape === '\\b') return '\\u0008'
    return escape === '\\f' ? '\\u000c' : escape
  })
  return safeInHtml(escaped)
}

/** Without white space between its parts. */
function compact(text: string): string {
  const parts: string[] = []
  for (let at = 0; at < text.length;) {
    const quote = text.indexOf('"', at)
    const string = quote === -1 ? text.length : quote
    const end = endOfString(text, string)
    parts.push(text.slice(at, string).replace(/[ \t\r\n]+/g, ''), text.slice(string, end))
    at = end
  }
  return safeInHtml(parts.join(''))
}

/** Go's encoding/json escapes these, wherever they stand in a text; they stand in strings alone. */
function safeInHtml(json: string): string {
  return json.replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** Index after the string that begins at `at`. */
function endOfString(text: string, at: number): number {
  let end = at + 1
  while (end < text.length && text[end] !== '"') end += text[end] === '\\' ? 2 : 1
  return end + 1
}
