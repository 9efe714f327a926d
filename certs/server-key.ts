import { createFile, replaceFile } from './atomic-file.ts'
import { CertificateError } from './certificate-error.ts'
import { parsePrivateKey, readIfThere, readPem } from './pem-file.ts'
import { generateRsaKey } from './rsa-key.ts'

/** The RSA key in `file`, PEM; a new one when there is none or it cannot be used. */
export async function ensureServerKey(file: string): Promise<string> {
  const kept = await readIfThere(file)
  if (kept === undefined) {
    await createFile(file, await generateRsaKey(2048), 0o600)
    return await readPem(file)
  }
  return isUsable(file, kept) ? kept : await replaceServerKey(file)
}

export async function replaceServerKey(file: string): Promise<string> {
  const key = await generateRsaKey(2048)
  await replaceFile(file, key, 0o600)
  return key
}

function isUsable(file: string, text: string): boolean {
  try {
    const key = parsePrivateKey(file, text)
    return key.asymmetricKeyType === 'rsa' && (key.asymmetricKeyDetails?.modulusLength ?? 0) >= 2048
  } catch (error) {
    if (error instanceof CertificateError) return false
    throw error
  }
}
