/** RFC 4515 §3, less what the client we use cannot send: names that are OIDs or have options, and escaped bytes above 7f. */
const item = /\((?:[a-z][\w-]*(?:[~<>]?=|(?::dn)?(?::[\w.-]+)?:=)|(?::dn)?:[\w.-]+:=)(?:[^()\\\0]|\\[0-7][\da-f])*\)/gi
/** What stands for a filter that has been looked at: a byte that no filter has. */
const seen = '\0'
const combined = /\((?:[&|]\0+|!\0)\)/g

export function isLdapFilter(text: string): boolean {
  if (text.includes(seen)) return false
  let left = text.replace(item, seen)
  for (let before = ''; before !== left; left = left.replace(combined, seen)) before = left
  return left === seen
}

export function isLdapAttribute(text: string): boolean {
  return /^[a-z][\w-]*$/i.test(text)
}

/** `{name}` may stand only where any value can be asked for instead: after a plain "=", once, with no "*" beside it. */
const namedUser = /\([a-z][\w-]*=[^(){}*]*\{name\}[^(){}*]*\)/gi

/** A filter for one user, who is called `{name}` in it. */
export function isUserFilter(text: string): boolean {
  return isLdapFilter(text) && text.includes('{name}') && !text.replace(namedUser, '').includes('{name}')
}

/** A filter for the groups of the user `{dn}`, or `{name}`. */
export function isGroupFilter(text: string): boolean {
  return isLdapFilter(text) && (text.includes('{dn}') || text.includes('{name}'))
}

/** `{key}` becomes the value of that key, which can mean nothing but itself there. */
export function fillFilter(template: string, values: Readonly<Record<string, string>>): string {
  // In one go: what looks like a place in a value is none.
  return template.replace(/\{(\w+)\}/g, (place, key: string) =>
    Object.hasOwn(values, key) ? escaped(values[key] ?? '') : place,
  )
}

/** The users that `filter` could be about at all. */
export function filterForAnyUser(filter: string): string {
  return filter.replaceAll('{name}', '*')
}

/** RFC 4515 §3, `valueencoding`. */
function escaped(value: string): string {
  return value.replace(/[*()\\\0]/g, (character) => `\\${character.charCodeAt(0).toString(16).padStart(2, '0')}`)
}
