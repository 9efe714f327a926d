import forge from 'node-forge'
import type { Authority } from './authority.ts'
import type { CertificateNames } from './names.ts'
import { publicKeyOf } from './rsa-key.ts'
import { nameAttribute, signCertificate } from './signed-certificate.ts'
import { clockSkewMs, dayMs } from './validity.ts'

/** Browsers and Apple's systems refuse server certificates that are valid for more than 398 days. */
export const serverDays = 397

/** RFC 5280, Appendix A.1: ub-common-name. */
const maxCommonName = 64

export interface ServerCertificateRequest {
  readonly authority: Pick<Authority, 'cert' | 'key' | 'certificate'>
  /** The server's private key, RSA, PEM. */
  readonly key: string
  readonly names: CertificateNames
  readonly now: Date
}

/** A new certificate for the server, PEM. Never valid for longer than the authority, which could not vouch for it then. */
export function issueServerCertificate({ authority, key, names, now }: ServerCertificateRequest): string {
  const root = forge.pki.certificateFromPem(authority.cert)
  const notBefore = new Date(now.getTime() - clockSkewMs)
  const notAfter = new Date(notBefore.getTime() + serverDays * dayMs)
  const { validToDate } = authority.certificate
  const request = {
    publicKey: publicKeyOf(key),
    subject: [nameAttribute('commonName', commonName(names))],
    issuer: root.subject.attributes,
    notBefore,
    notAfter: notAfter < validToDate ? notAfter : validToDate,
    extensions: [
      { name: 'basicConstraints', critical: true, cA: false },
      { name: 'keyUsage', critical: true, digitalSignature: true, keyEncipherment: true },
      { name: 'extKeyUsage', serverAuth: true },
      { name: 'subjectAltName', altNames: alternativeNames(names) },
      { name: 'subjectKeyIdentifier' },
      { name: 'authorityKeyIdentifier', keyIdentifier: root.generateSubjectKeyIdentifier().getBytes() },
    ],
  }
  return signCertificate(request, authority.key)
}

function commonName(names: CertificateNames): string {
  return [...names.dns, ...names.addresses].find((name) => name.length <= maxCommonName) ?? 'caisson'
}

/** RFC 5280 §4.2.1.6, GeneralName: [2] dNSName, [7] iPAddress. */
function alternativeNames(names: CertificateNames): readonly object[] {
  return [...names.dns.map((value) => ({ type: 2, value })), ...names.addresses.map((ip) => ({ type: 7, ip }))]
}
