import { createHash, type X509Certificate } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createFile } from './atomic-file.ts'
import { CertificateError } from './certificate-error.ts'
import { parseCertificates, parsePrivateKey, readIfThere, readPem } from './pem-file.ts'
import { generateRsaKey, publicKeyOf } from './rsa-key.ts'
import { nameAttribute, signCertificate } from './signed-certificate.ts'
import { clockSkewMs, dayMs } from './validity.ts'

export const authorityDays = 3650

/** Our own root: what clients trust, and what signs our server certificates. Texts are PEM. */
export interface Authority {
  readonly cert: string
  readonly key: string
  readonly certificate: X509Certificate
  readonly made: boolean
}

export function authorityFiles(directory: string): { readonly cert: string; readonly key: string } {
  return { cert: join(directory, 'ca.crt'), key: join(directory, 'ca.key') }
}

/**
 * The authority kept in `directory`, made there when there is none. Processes that start at once end up with the same one.
 * Throws CertificateError when what is there cannot be used; it is never replaced, because clients trust it.
 */
export async function ensureAuthority(directory: string, now: Date): Promise<Authority> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const files = authorityFiles(directory)
  const made = (await readIfThere(files.cert)) === undefined && (await makeAuthority(files, now))
  return await openAuthority(files, now, made)
}

/**
 * The key comes first, and whoever links it wins; any certificate made from then on, by whichever process, is for that
 * one key. So no lock is needed, and a process killed between the two steps is continued by the next.
 */
async function makeAuthority(files: ReturnType<typeof authorityFiles>, now: Date): Promise<boolean> {
  if ((await readIfThere(files.key)) === undefined) await createFile(files.key, await generateRsaKey(3072), 0o600)
  const key = await readPem(files.key)
  parsePrivateKey(files.key, key)
  return await createFile(files.cert, selfSign(key, now), 0o644)
}

function selfSign(key: string, now: Date): string {
  const publicKey = publicKeyOf(key)
  // A name of its own for every authority: a trust store may hold several, and some clients look them up by name alone.
  const id = createHash('sha256').update(publicKey).digest('hex').slice(0, 8)
  const name = [nameAttribute('organizationName', 'Caisson'), nameAttribute('commonName', `Caisson authority ${id}`)]
  const request = {
    publicKey,
    subject: name,
    issuer: name,
    notBefore: new Date(now.getTime() - clockSkewMs),
    notAfter: new Date(now.getTime() - clockSkewMs + authorityDays * dayMs),
    extensions: [
      { name: 'basicConstraints', critical: true, cA: true, pathLenConstraint: 0 },
      { name: 'keyUsage', critical: true, keyCertSign: true, cRLSign: true },
      { name: 'subjectKeyIdentifier' },
    ],
  }
  return signCertificate(request, key)
}

async function openAuthority(files: ReturnType<typeof authorityFiles>, now: Date, made: boolean): Promise<Authority> {
  const cert = await readPem(files.cert)
  const key = await readIfThere(files.key)
  if (key === undefined) throw new CertificateError(`${files.key} is missing: put it back, or ${anew(files)}`)

  const [certificate] = parseCertificates(files.cert, cert)
  if (!certificate.checkPrivateKey(parsePrivateKey(files.key, key))) {
    throw new CertificateError(
      `${files.key} is not the key of ${files.cert}: put the right one back, or ${anew(files)}`,
    )
  }
  if (!certificate.ca) throw new CertificateError(`${files.cert} may not sign certificates: ${anew(files)}`)
  if (certificate.validToDate <= now) {
    throw new CertificateError(`${files.cert} ran out on ${certificate.validToDate.toISOString()}: ${anew(files)}`)
  }
  return { cert, key, certificate, made }
}

function anew(files: ReturnType<typeof authorityFiles>): string {
  return `remove ${files.cert} and ${files.key} to have a new authority made, which every client must then trust anew`
}
