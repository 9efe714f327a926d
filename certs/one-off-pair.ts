import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { replaceFile } from './atomic-file.ts'
import { ensureAuthority } from './authority.ts'
import { CertificateError } from './certificate-error.ts'
import { canonicalAddress, canonicalName, isCertificateName } from './names.ts'
import { generateRsaKey } from './rsa-key.ts'
import { issueServerCertificate } from './server-certificate.ts'

export interface OneOffRequest {
  /** Where our authority is kept. */
  readonly directory: string
  /** Names, wildcards of one label, or addresses. */
  readonly hosts: readonly [string, ...string[]]
  /** Where the pair goes, named after the first host. */
  readonly outDirectory: string
  readonly now?: Date
}

/** A key and a certificate from our authority for another machine, which nobody renews. Returns the files written. */
export async function issueOneOffPair(
  request: OneOffRequest,
): Promise<{ readonly cert: string; readonly key: string }> {
  const { directory, hosts, outDirectory, now = new Date() } = request
  const names = namesOf(hosts)
  const authority = await ensureAuthority(directory, now)
  const key = await generateRsaKey(2048)
  await mkdir(outDirectory, { recursive: true })
  const base = join(outDirectory, hosts[0].replace('*', 'wildcard').replaceAll(':', '_'))
  const files = { cert: `${base}.crt`, key: `${base}.key` }
  await replaceFile(files.key, key, 0o600)
  await replaceFile(files.cert, issueServerCertificate({ authority, key, names, now }), 0o644)
  return files
}

function namesOf(hosts: readonly string[]) {
  const addresses = hosts.map(canonicalAddress).filter((address) => address !== undefined)
  const dns = hosts.filter((host) => canonicalAddress(host) === undefined).map(canonicalName)
  const wrong = dns.find((name) => !isCertificateName(name))
  if (wrong === undefined) return { dns, addresses }
  throw new CertificateError(
    `"${wrong}" cannot be in a certificate: expected a host name, *.domain or an address, without port`,
  )
}
