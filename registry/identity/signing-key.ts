import { exportJWK, generateKeyPair, importJWK, type JWK } from 'jose'
import type { Secrets } from '../storage/metadata-store.ts'

export const algorithm = 'ES256'
type Key = Awaited<ReturnType<typeof importJWK>>

export interface SigningKey {
  readonly sign: Key
  readonly verify: Key
}

/** The key pair that this product signs its tokens with: made once, kept as a JWK. */
export async function openSigningKey(secrets: Secrets): Promise<SigningKey> {
  const kept = await secrets.secret('token-signing-key', makeKey)
  const { d, ...publicPart } = JSON.parse(kept) as JWK
  if (d === undefined) throw new Error('the kept token signing key has no private part')
  return {
    sign: await importJWK({ ...publicPart, d }, algorithm),
    verify: await importJWK(publicPart, algorithm),
  }
}

async function makeKey(): Promise<string> {
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true })
  return JSON.stringify(await exportJWK(privateKey))
}
