import { createPrivateKey, generateKeyPair, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import type { Secrets } from '../../storage/access-store.ts'

/**
 * The key that this registry signs manifests of schema 1 with: made when it is first needed, and the same from then on, because clients may
 * remember whose signature they saw. On P-256.
 */
export function schema1Key(store: Secrets): () => Promise<KeyObject> {
  let key: Promise<KeyObject> | undefined
  const open = async () => createPrivateKey(await store.secret('schema1-signing-key', makeKey))
  return async () => {
    try {
      return await (key ??= open())
    } catch (error) {
      key = undefined
      throw error
    }
  }
}

async function makeKey(): Promise<string> {
  const { privateKey } = await promisify(generateKeyPair)('ec', { namedCurve: 'P-256' })
  return privateKey.export({ type: 'pkcs8', format: 'pem' })
}
