import type { X509Certificate } from 'node:crypto'
import type { PairFiles } from './certificate-pair.ts'
import { loadPair } from './certificate-pair.ts'
import { CertificateError } from './certificate-error.ts'
import { parseCertificates, readPem } from './pem-file.ts'
import { subjectNames } from './subject-names.ts'

/** What a person wants to know of a certificate. */
export interface CertificateDescription {
  readonly file: string
  readonly subject: string
  readonly issuer: string
  /** Names and addresses it is for; none for an authority. */
  readonly names: readonly string[]
  readonly validFrom: string
  readonly validTo: string
  readonly serialNumber: string
  /** SHA-256, hexadecimal with colons. */
  readonly fingerprint: string
  /** Why it cannot be served, with what to do; undefined when it can. */
  readonly problem: string | undefined
}

export async function describeCertificate(file: string): Promise<CertificateDescription> {
  return describe(file, parseCertificates(file, await readPem(file))[0], undefined)
}

/** Unlike for serving, a pair that has run out or does not match is described too. */
export async function describePair(files: PairFiles, now: Date): Promise<CertificateDescription> {
  const [certificate] = parseCertificates(files.cert, await readPem(files.cert))
  return describe(files.cert, certificate, await problemOf(files, now))
}

async function problemOf(files: PairFiles, now: Date): Promise<string | undefined> {
  try {
    await loadPair(files, now)
    return undefined
  } catch (error) {
    if (error instanceof CertificateError) return error.message
    throw error
  }
}

function describe(file: string, certificate: X509Certificate, problem: string | undefined): CertificateDescription {
  const { dns, addresses } = subjectNames(certificate)
  return {
    file,
    subject: onOneLine(certificate.subject),
    issuer: onOneLine(certificate.issuer),
    names: certificate.ca ? [] : [...dns, ...addresses],
    validFrom: certificate.validFromDate.toISOString(),
    validTo: certificate.validToDate.toISOString(),
    serialNumber: certificate.serialNumber,
    fingerprint: certificate.fingerprint256,
    problem,
  }
}

function onOneLine(name: string): string {
  return name.split('\n').join(', ')
}
