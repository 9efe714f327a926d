/** RFC 9110 §11.6.1: one way to authenticate, of those that are offered. */
export interface Challenge {
  /** In lower case. */
  readonly scheme: string
  /** By name in lower case. */
  readonly parameters: ReadonlyMap<string, string>
}

const token = String.raw`[!#$%&'*+.^_\x60|~0-9A-Za-z-]+`
const quoted = String.raw`"(?:[^"\\]|\\.)*"`
const parameter = new RegExp(`^(${token})\\s*=\\s*(${quoted}|[^\\s,="][^\\s,"]*)`)
const scheme = new RegExp(`^(${token})(?=\\s|,|$)`)
const token68 = /^[A-Za-z0-9._~+/-]+=*(?=\s*(?:,|$))/

/** Those that can be read; what cannot be ends the list. `header`: all lines of it, with commas between. */
export function parseChallenges(header: string | undefined): readonly Challenge[] {
  const challenges: { readonly scheme: string; readonly parameters: Map<string, string> }[] = []
  let rest = skip(header ?? '')
  while (rest !== '') {
    const [pair, name = '', value = ''] = parameter.exec(rest) ?? []
    const [word] = scheme.exec(rest) ?? []
    if (pair !== undefined) {
      challenges.at(-1)?.parameters.set(name.toLowerCase(), unquoted(value))
      rest = skip(rest.slice(pair.length))
    } else if (word !== undefined) {
      challenges.push({ scheme: word.toLowerCase(), parameters: new Map() })
      rest = rest.slice(word.length).trimStart()
      const [credentials = ''] = parameter.test(rest) ? [] : (token68.exec(rest) ?? [])
      rest = skip(rest.slice(credentials.length))
    } else {
      return challenges
    }
  }
  return challenges
}

function skip(text: string): string {
  return text.replace(/^[\s,]+/, '')
}

function unquoted(value: string): string {
  return value.startsWith('"') ? value.slice(1, -1).replace(/\\(.)/g, '$1') : value
}
