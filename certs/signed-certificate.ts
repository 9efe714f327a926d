import { randomBytes } from 'node:crypto'
import forge from 'node-forge'

export interface CertificateRequest {
  /** PEM. */
  readonly publicKey: string
  readonly subject: readonly forge.pki.CertificateField[]
  readonly issuer: readonly forge.pki.CertificateField[]
  readonly notBefore: Date
  readonly notAfter: Date
  readonly extensions: readonly object[]
}

/** An X.509 version 3 certificate as PEM, signed with RSA and SHA-256. `signingKey` is the issuer's private key, PEM. */
export function signCertificate(request: CertificateRequest, signingKey: string): string {
  const certificate = forge.pki.createCertificate()
  certificate.publicKey = forge.pki.publicKeyFromPem(request.publicKey)
  certificate.serialNumber = randomSerial()
  certificate.validity.notBefore = request.notBefore
  certificate.validity.notAfter = request.notAfter
  certificate.setSubject([...request.subject])
  certificate.setIssuer([...request.issuer])
  certificate.setExtensions([...request.extensions])
  certificate.sign(forge.pki.privateKeyFromPem(signingKey), forge.md.sha256.create())
  return forge.pki.certificateToPem(certificate).replaceAll('\r\n', '\n')
}

/** A PrintableString, which is what the library takes by itself, may hold no "*" and no "_". */
const utf8String: object = { valueTagClass: forge.asn1.Type.UTF8 }

export function nameAttribute(name: 'commonName' | 'organizationName', value: string): forge.pki.CertificateField {
  return { name, value, ...utf8String }
}

/** RFC 5280 §4.1.2.2: positive and at most 20 bytes. The fixed top bits keep it positive and of one length. */
function randomSerial(): string {
  const serial = randomBytes(16)
  serial.writeUInt8((serial.readUInt8(0) & 0x3f) | 0x40, 0)
  return serial.toString('hex')
}
