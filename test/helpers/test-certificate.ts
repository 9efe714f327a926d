import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import forge from 'node-forge'
import type { ServerCertificates } from '../../gateway/server-certificates.ts'

export interface TestCertificate {
  readonly cert: string
  readonly key: string
}

/** Self-signed, for these names, good until `notAfter` (default: tomorrow). */
export function makeCertificate(names: readonly string[], notAfter = new Date(Date.now() + dayMs)): TestCertificate {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  })
  const certificate = forge.pki.createCertificate()
  certificate.publicKey = forge.pki.publicKeyFromPem(publicKey)
  certificate.serialNumber = `00${randomBytes(8).toString('hex')}`
  certificate.validity.notBefore = new Date(notAfter.getTime() - 2 * dayMs)
  certificate.validity.notAfter = notAfter
  const subject = [{ name: 'commonName', value: names[0] ?? 'nobody' }]
  certificate.setSubject(subject)
  certificate.setIssuer(subject)
  certificate.setExtensions([{ name: 'subjectAltName', altNames: names.map((value) => ({ type: dnsName, value })) }])
  certificate.sign(forge.pki.privateKeyFromPem(privateKey), forge.md.sha256.create())
  return { cert: forge.pki.certificateToPem(certificate), key: privateKey }
}

/** RFC 5280 §4.2.1.6: the tag of dNSName. */
const dnsName = 2
const dayMs = 24 * 60 * 60 * 1000

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
