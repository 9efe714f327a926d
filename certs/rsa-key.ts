import { createPublicKey, generateKeyPair } from 'node:crypto'
import { promisify } from 'node:util'

const generate = promisify(generateKeyPair)

/** A new private key, PKCS#8 PEM. */
export async function generateRsaKey(modulusLength: 2048 | 3072): Promise<string> {
  const { privateKey } = await generate('rsa', { modulusLength })
  return privateKey.export({ type: 'pkcs8', format: 'pem' })
}

export function publicKeyOf(privateKeyPem: string): string {
  return createPublicKey(privateKeyPem).export({ type: 'spki', format: 'pem' })
}
