import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from './program.ts'

/** Certificates as an administrator makes them who does not use ours, for the proxies in front of a registry. */
export interface Authority extends AsyncDisposable {
  /** PEM file of the authority itself. */
  readonly file: string
  issue(names: readonly string[]): Promise<IssuedCertificate>
}

export interface IssuedCertificate {
  readonly cert: string
  readonly key: string
  /** Certificate and key in one file, as HAProxy takes them. */
  readonly both: string
}

const keyType = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-noenc', '-days', '2']

export async function createAuthority(): Promise<Authority> {
  const directory = await mkdtemp(join(tmpdir(), 'caisson-authority-'))
  const [file, authorityKey] = [join(directory, 'ca.crt'), join(directory, 'ca.key')]
  await run('openssl', [
    'req',
    '-x509',
    ...keyType,
    '-subj',
    '/CN=A test authority',
    '-keyout',
    authorityKey,
    '-out',
    file,
  ])

  const issue = async (names: readonly string[]): Promise<IssuedCertificate> => {
    const [cert, key, both] = ['crt', 'key', 'pem'].map((end) => join(directory, `${names[0]}.${end}`))
    if (cert === undefined || key === undefined || both === undefined) throw new Error('unreachable')
    const extensions = [
      '-addext',
      `subjectAltName=${names.map((name) => `DNS:${name}`).join()}`,
      '-addext',
      'basicConstraints=CA:FALSE',
    ]
    const signedBy = ['-CA', file, '-CAkey', authorityKey]
    await run('openssl', [
      'req',
      '-x509',
      ...keyType,
      ...signedBy,
      '-subj',
      `/CN=${names[0]}`,
      ...extensions,
      '-keyout',
      key,
      '-out',
      cert,
    ])
    await writeFile(both, `${await readFile(cert, 'utf8')}${await readFile(key, 'utf8')}`, { mode: 0o600 })
    return { cert, key, both }
  }
  return { file, issue, [Symbol.asyncDispose]: async () => rm(directory, { recursive: true, force: true }) }
}
