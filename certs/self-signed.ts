import type { X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { removeLeftovers, replaceFile } from './atomic-file.ts'
import { ensureAuthority, type Authority } from './authority.ts'
import { CertificateError } from './certificate-error.ts'
import { machineNames } from './machine-names.ts'
import { certificateNames, type CertificateNames, type MachineNames } from './names.ts'
import { parseCertificates, parsePrivateKey, readIfThere } from './pem-file.ts'
import { whyRenew } from './renewal.ts'
import { issueServerCertificate } from './server-certificate.ts'
import { ensureServerKey, replaceServerKey } from './server-key.ts'

const leftoverAgeMs = 60_000

export interface SelfSignedSettings {
  readonly directory: string
  /** Host names, addresses and patterns as in the configuration of the gateway. */
  readonly hosts: readonly string[]
  readonly now?: Date
  readonly machine?: MachineNames
}

/** What was done, for the log. */
export interface SelfSignedReport {
  readonly authority: 'made' | 'kept'
  readonly certificate: 'made' | 'kept'
  /** Why the certificate was made, as a sentence; undefined when it was kept. */
  readonly because: string | undefined
  readonly names: CertificateNames
  readonly validTo: Date
}

export function serverFiles(directory: string): { readonly cert: string; readonly key: string } {
  return { cert: join(directory, 'server.crt'), key: join(directory, 'server.key') }
}

/**
 * Sees to it that `directory` holds an authority (`ca.crt`, `ca.key`) and a certificate from it (`server.crt`,
 * `server.key`) for the wanted names that is good for another 30 days. Changes nothing when it does: call it at start and daily.
 */
export async function ensureSelfSigned(settings: SelfSignedSettings): Promise<SelfSignedReport> {
  const wanted = await prepare(settings)
  const files = serverFiles(settings.directory)
  const key = await ensureServerKey(files.key)
  const kept = await currentCertificate(files.cert)
  const problem = kept
    ? whyRenew(kept, { ...wanted, root: wanted.authority.certificate, key: parsePrivateKey(files.key, key) })
    : 'is missing or damaged'
  if (kept && !problem) return report(wanted, kept, undefined)

  // The key stays, so that one rename swaps the pair: at no moment is there a certificate that does not match its key.
  return report(wanted, await issue(files.cert, key, wanted), `${files.cert} ${problem}`)
}

/** Makes key and certificate of the server anew, whatever is there, as one does when the key has become known. */
export async function reissueSelfSigned(settings: SelfSignedSettings): Promise<SelfSignedReport> {
  const wanted = await prepare(settings)
  const files = serverFiles(settings.directory)
  const key = await replaceServerKey(files.key)
  return report(wanted, await issue(files.cert, key, wanted), 'it was asked for')
}

interface Wanted {
  readonly authority: Authority
  readonly names: CertificateNames
  readonly now: Date
}

async function prepare({ directory, hosts, now = new Date(), machine }: SelfSignedSettings): Promise<Wanted> {
  const authority = await ensureAuthority(directory, now)
  await removeLeftovers(directory, leftoverAgeMs)
  return { authority, names: certificateNames(hosts, machine ?? (await machineNames())), now }
}

async function issue(file: string, key: string, wanted: Wanted): Promise<X509Certificate> {
  const cert = issueServerCertificate({ ...wanted, key })
  await replaceFile(file, cert, 0o644)
  return parseCertificates(file, cert)[0]
}

async function currentCertificate(file: string): Promise<X509Certificate | undefined> {
  const text = await readIfThere(file)
  try {
    return text === undefined ? undefined : parseCertificates(file, text)[0]
  } catch (error) {
    if (error instanceof CertificateError) return undefined
    throw error
  }
}

function report(
  { authority, names }: Wanted,
  certificate: X509Certificate,
  because: string | undefined,
): SelfSignedReport {
  return {
    authority: authority.made ? 'made' : 'kept',
    certificate: because ? 'made' : 'kept',
    because,
    names,
    validTo: certificate.validToDate,
  }
}
