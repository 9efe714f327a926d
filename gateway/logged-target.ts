/** Query parameters whose values are nobody's secret; of any other (upload state, tokens, signatures) only the name is kept. */
const harmless: ReadonlySet<string> = new Set([
  'artifactType',
  'digest',
  'from',
  'last',
  'mount',
  'n',
  'ns',
  'page',
  'q',
  'tag',
])

/** A request target as it may stand in a log: without secrets, and without characters that end a field or a line. */
export function loggedTarget(target: string): string {
  const mark = target.indexOf('?')
  if (mark === -1) return escapeField(target)
  const path = target.slice(0, mark)
  if (path.endsWith('/token') || path.endsWith('/auth')) return escapeField(`${path}?-`)
  return escapeField(
    `${path}?${target
      .slice(mark + 1)
      .split('&')
      .map(withoutSecret)
      .join('&')}`,
  )
}

/** Quotes, backslashes and anything that is not printable ASCII, in the way of Apache's log. */
export function escapeField(text: string): string {
  return plain.test(text) ? text : text.replace(special, escapeCharacter)
}

const plain = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/
const special = /[^\x20\x21\x23-\x5b\x5d-\x7e]/g

function escapeCharacter(character: string): string {
  if (character === '"' || character === '\\') return `\\${character}`
  return [...Buffer.from(character)].map((octet) => `\\x${octet.toString(16).padStart(2, '0')}`).join('')
}

function withoutSecret(parameter: string): string {
  const equals = parameter.indexOf('=')
  return equals === -1 || harmless.has(parameter.slice(0, equals)) ? parameter : `${parameter.slice(0, equals)}=-`
}
