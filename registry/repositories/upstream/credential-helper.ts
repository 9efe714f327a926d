import { execFile } from 'node:child_process'
import { isObject, parseJson } from '../../domain/json.ts'
import type { Login } from './login.ts'
import { UpstreamFailure } from './upstream.ts'

const timeoutMs = 30_000
const maxOutput = 64 * 1024
/** In place of a user name, says that the secret is an identity token. */
const tokenUser = '<token>'

/** Docker's protocol of credential helpers: `get`, the server on the standard input, JSON on the output. No shell is involved. */
export async function askCredentialHelper(commandLine: readonly string[], server: string): Promise<Login> {
  const [program = '', ...words] = commandLine
  const output = await outputOf(program, [...words, 'get'], server)
  const parsed = parseJson(Buffer.from(output))
  const answer = 'value' in parsed && isObject(parsed.value) ? parsed.value : {}
  const { Username: username, Secret: secret } = answer
  if (typeof username !== 'string' || typeof secret !== 'string' || secret === '')
    throw refused(program, 'gives no Username and Secret')
  return username === tokenUser
    ? { kind: 'identity token', token: secret }
    : { kind: 'password', username, password: secret }
}

/** What the program says is in no error: it may say secrets anywhere. */
async function outputOf(program: string, words: readonly string[], input: string): Promise<string> {
  const options = { timeout: timeoutMs, maxBuffer: maxOutput, killSignal: 'SIGKILL', encoding: 'utf8' } as const
  return await new Promise((resolve, reject) => {
    const child = execFile(program, words, options, (error, stdout) => {
      if (error) reject(refused(program, endOf(error)))
      else resolve(stdout)
    })
    // One that does not read it may have ended already.
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(input)
  })
}

function endOf({ code, killed }: { readonly code?: unknown; readonly killed?: boolean }): string {
  if (code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER') return 'said too much'
  if (killed) return `took longer than ${timeoutMs / 1000} s`
  return typeof code === 'number' ? `ended with status ${code}` : `cannot be run (${String(code)})`
}

function refused(program: string, what: string): UpstreamFailure {
  return new UpstreamFailure('refused', `the credential helper ${program} ${what}`)
}
