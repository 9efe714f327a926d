import type { KeyObject, X509Certificate } from 'node:crypto'
import type { CertificateNames } from './names.ts'
import { uncovered } from './subject-names.ts'
import { dayMs } from './validity.ts'

const renewDays = 30

export interface Circumstances {
  /** The certificate of our authority. */
  readonly root: X509Certificate
  /** The server's private key. */
  readonly key: KeyObject
  readonly names: CertificateNames
  readonly now: Date
}

/** Why a server certificate must be made anew, as the end of a sentence about it; undefined when it is good as it is. */
export function whyRenew(certificate: X509Certificate, { root, key, names, now }: Circumstances): string | undefined {
  if (!certificate.checkPrivateKey(key)) return 'does not belong to its key'
  if (!certificate.checkIssued(root) || !certificate.verify(root.publicKey)) return 'was issued by another authority'
  const missing = uncovered(certificate, names)
  if (missing.length > 0) return `does not cover ${missing.join(', ')}`
  if (certificate.validFromDate > now) return `is valid only from ${certificate.validFromDate.toISOString()} on`
  if (runsOutSoon(certificate, now) && !endsWith(certificate, root)) {
    return `runs out on ${certificate.validToDate.toISOString()}`
  }
  return undefined
}

function runsOutSoon(certificate: X509Certificate, now: Date): boolean {
  return certificate.validToDate.getTime() - now.getTime() < renewDays * dayMs
}

/** A new certificate would not live longer: none outlives the authority. */
function endsWith(certificate: X509Certificate, root: X509Certificate): boolean {
  return certificate.validToDate >= root.validToDate
}
