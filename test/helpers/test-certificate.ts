import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSecureContext } from 'node:tls'
import type { ServerCertificates } from '../../gateway/server-certificates.ts'

export interface TestCertificate {
  readonly cert: string
  readonly key: string
}

/** Self-signed, for these names. */
export function makeCertificate(names: readonly string[]): TestCertificate {
  const directory = mkdtempSync(join(tmpdir(), 'caisson-certificate-'))
  const [cert, key] = [join(directory, 'crt'), join(directory, 'key')]
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-noenc', '-days', '2']
  const subject = ['-subj', `/CN=${names[0]}`, '-addext', `subjectAltName=${names.map((name) => `DNS:${name}`).join()}`]
  execFileSync('openssl', ['req', '-x509', ...kind, ...subject, '-keyout', key, '-out', cert], { stdio: 'ignore' })
  const made = { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') }
  rmSync(directory, { recursive: true })
  return made
}

/** The same certificate for every name. */
export function serveCertificate(certificate: TestCertificate): ServerCertificates {
  const context = createSecureContext(certificate)
  return {
    fallback: () => certificate,
    contextFor: () => context,
    authority: () => certificate.cert,
    onChange() {},
  }
}
