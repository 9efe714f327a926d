import { isUserName, userNameForm } from '../domain/user-name.ts'

export interface HtpasswdLines {
  /** bcrypt, by user name. */
  readonly hashes: ReadonlyMap<string, string>
  /** What does not count: which lines, why, and what to do about it. Nothing of what stands in them. */
  readonly problems: readonly string[]
}

const bcrypt = /^\$2[aby]\$(?:0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}$/
const remedies = {
  hash: 'the password is not hashed with bcrypt, so the user cannot log in; set it again with "htpasswd -B"',
  name: `what stands before the ":" is not a user name: expected ${userNameForm}`,
  form: 'expected a user name, ":" and a hash',
  again: 'the user stands further up already, and that line counts',
} as const
type Fault = keyof typeof remedies

/** A file as Apache reads it: a user a line, "#" begins a comment, of two lines for the same user the first counts. */
export function parseHtpasswd(text: string): HtpasswdLines {
  const hashes = new Map<string, string>()
  const named = new Set<string>()
  const faulty: Record<Fault, number[]> = { hash: [], name: [], form: [], again: [] }
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const [name = '', hash] = line.trimEnd().split(':')
    const fault = faultOf(name, hash, named)
    named.add(name)
    if (fault !== undefined) faulty[fault].push(index + 1)
    else if (hash !== undefined) hashes.set(name, hash)
  }
  const faults = (Object.keys(remedies) as Fault[]).filter((fault) => faulty[fault].length > 0)
  return { hashes, problems: faults.map((fault) => `${linesOf(faulty[fault])}: ${remedies[fault]}`) }
}

function faultOf(name: string, hash: string | undefined, named: ReadonlySet<string>): Fault | undefined {
  if (hash === undefined) return 'form'
  if (!isUserName(name)) return 'name'
  if (named.has(name)) return 'again'
  return bcrypt.test(hash) ? undefined : 'hash'
}

const maxNamed = 20

function linesOf(numbers: readonly number[]): string {
  const more = numbers.length > maxNamed ? ` and ${numbers.length - maxNamed} more` : ''
  return `${numbers.length === 1 ? 'line' : 'lines'} ${numbers.slice(0, maxNamed).join(', ')}${more}`
}
