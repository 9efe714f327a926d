import { readFile, writeFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { run } from './program.ts'
import { temporaryDirectory } from './temporary-directory.ts'

/** Certificates as an administrator makes them who does not use ours, for the proxies in front of a registry. */
export interface Authority extends AsyncDisposable {
  /** PEM file of the authority itself. */
  readonly file: string
  /** For host names and addresses. */
  issue(names: readonly string[]): Promise<IssuedCertificate>
}

export interface IssuedCertificate {
  readonly cert: string
  readonly key: string
  /** Certificate and key in one file, as HAProxy takes them. */
  readonly both: string
}

const selfSigned = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-noenc', '-days', '2']

export async function createAuthority(): Promise<Authority> {
  await using made = new AsyncDisposableStack()
  const { path: directory } = made.use(await temporaryDirectory())
  const [file, authorityKey] = [join(directory, 'ca.crt'), join(directory, 'ca.key')]
  await run('openssl', [...selfSigned, '-subj', '/CN=A test authority', '-keyout', authorityKey, '-out', file])

  const issue = async (names: readonly string[]): Promise<IssuedCertificate> => {
    const [cert, key, both] = [join(directory, 'crt'), join(directory, 'key'), join(directory, 'both')]
    const alternatives = `subjectAltName=${names.map((name) => `${isIP(name) === 0 ? 'DNS' : 'IP'}:${name}`).join()}`
    const subject = ['-subj', `/CN=${names[0]}`, '-addext', alternatives, '-addext', 'basicConstraints=CA:FALSE']
    const signedBy = ['-CA', file, '-CAkey', authorityKey]
    await run('openssl', [...selfSigned, ...signedBy, ...subject, '-keyout', key, '-out', cert])
    await writeFile(both, `${await readFile(cert, 'utf8')}${await readFile(key, 'utf8')}`, { mode: 0o600 })
    return { cert, key, both }
  }
  const kept = made.move()
  return { file, issue, [Symbol.asyncDispose]: async () => kept.disposeAsync() }
}
