import type { KeyObject, X509Certificate } from 'node:crypto'
import { CertificateError } from './certificate-error.ts'
import { parseCertificates, parsePrivateKey, readPem } from './pem-file.ts'

/** Where a certificate and its key lie. One file may hold both. */
export interface PairFiles {
  readonly cert: string
  readonly key: string
}

/** A certificate that is ready to be served: it matches its key and is valid now. */
export interface CertificatePair {
  readonly files: PairFiles
  readonly certificate: X509Certificate
  /** PEM texts; `cert` has the chain behind the server's own certificate. */
  readonly cert: string
  readonly key: string
}

/** Throws CertificateError, which names the file and what to do, for a pair that clients would refuse. */
export async function loadPair(files: PairFiles, now: Date): Promise<CertificatePair> {
  const certText = await readPem(files.cert)
  const keyText = files.key === files.cert ? certText : await readPem(files.key)
  const certificates = parseCertificates(files.cert, certText)
  const key = parsePrivateKey(files.key, keyText)
  checkMatch(files, certificates, key)
  const [certificate] = certificates
  checkValidity(files.cert, certificate, now)
  return {
    files,
    certificate,
    cert: certificates.map(String).join(''),
    key: key.export({ type: 'pkcs8', format: 'pem' }),
  }
}

function checkMatch(files: PairFiles, [first, ...chain]: readonly X509Certificate[], key: KeyObject): void {
  if (first?.checkPrivateKey(key)) return
  if (chain.some((certificate) => certificate.checkPrivateKey(key))) {
    throw new CertificateError(
      `in ${files.cert} the server's own certificate is not the first: put it above those of the authorities`,
    )
  }
  throw new CertificateError(
    `the key in ${files.key} does not belong to the certificate in ${files.cert}: put the key there that the certificate was requested with`,
  )
}

function checkValidity(file: string, certificate: X509Certificate, now: Date): void {
  const { validFromDate, validToDate } = certificate
  if (validToDate <= now) {
    throw new CertificateError(
      `the certificate in ${file} ran out on ${validToDate.toISOString()}: put a renewed one there`,
    )
  }
  if (validFromDate > now) {
    throw new CertificateError(
      `the certificate in ${file} is valid only from ${validFromDate.toISOString()} on: check this machine's clock, or wait`,
    )
  }
}
