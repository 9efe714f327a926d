import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type JWK } from 'jose'
import type { SigningKeyRecord, SigningKeys } from '../storage/access-store.ts'

export const algorithm = 'ES256'
type Key = Awaited<ReturnType<typeof importJWK>>

export interface KeyLife {
  /** One signs for so long. */
  readonly signsMs: number
  /** And is known for so much longer, while what it has signed is good. */
  readonly verifiesMs: number
}

/** The key pairs that this product signs its tokens with: kept as JWKs, a new one whenever the newest has signed long enough. */
export interface OpenSigningKeys {
  /** The one that signs now. */
  current(): Promise<{ readonly id: string; readonly key: Key }>
  /** Undefined: we have no such key, or no longer. */
  find(id: string): Promise<Key | undefined>
  /** Their public parts (RFC 7517 §5), the newest first. */
  published(): Promise<readonly JWK[]>
}

interface OpenKey {
  readonly id: string
  readonly madeAtMs: number
  readonly sign: Key
  readonly verify: Key
  readonly published: JWK
}

/** An unknown id is looked for among what another process may have made, but not for whoever sends many. */
const lookAgainMs = 1000

export async function openSigningKeys(
  store: SigningKeys,
  { signsMs, verifiesMs }: KeyLife,
  now: () => Date,
): Promise<OpenSigningKeys> {
  let keys: readonly OpenKey[] = []
  let lookedAgainAtMs = -Infinity
  let renewing: Promise<void> | undefined

  const read = async (): Promise<void> => {
    keys = await Promise.all((await store.listSigningKeys()).map(open))
  }
  const renew = async (): Promise<void> => {
    const [signedSince, knownSince] = [now().getTime() - signsMs, now().getTime() - signsMs - verifiesMs]
    await store.addSigningKey(await makeKey(now()), new Date(signedSince), new Date(knownSince))
    await read()
  }
  const newest = async (): Promise<OpenKey> => {
    const isDue = (key: OpenKey | undefined) => !key || key.madeAtMs <= now().getTime() - signsMs
    if (isDue(keys[0])) await (renewing ??= renew().finally(() => (renewing = undefined)))
    const [key] = keys
    if (!key) throw new Error('no signing key could be made')
    return key
  }
  const known = (): readonly OpenKey[] => {
    const since = now().getTime() - signsMs - verifiesMs
    return keys.filter(({ madeAtMs }) => madeAtMs > since)
  }

  await read()
  return {
    async current() {
      const { id, sign } = await newest()
      return { id, key: sign }
    },
    async find(id) {
      const key = known().find((key) => key.id === id)
      if (key || now().getTime() - lookedAgainAtMs < lookAgainMs) return key?.verify
      lookedAgainAtMs = now().getTime()
      await read()
      return known().find((key) => key.id === id)?.verify
    },
    async published() {
      await newest()
      return known().map(({ published }) => published)
    },
  }
}

async function makeKey(madeAt: Date): Promise<SigningKeyRecord> {
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true })
  const jwk = await exportJWK(privateKey)
  return { id: await calculateJwkThumbprint(jwk), jwk: JSON.stringify(jwk), madeAt }
}

async function open({ id, jwk, madeAt }: SigningKeyRecord): Promise<OpenKey> {
  const { d, ...publicPart } = JSON.parse(jwk) as JWK
  if (d === undefined) throw new Error('a kept signing key has no private part')
  return {
    id,
    madeAtMs: madeAt.getTime(),
    sign: await importJWK({ ...publicPart, d }, algorithm),
    verify: await importJWK(publicPart, algorithm),
    published: { ...publicPart, kid: id, alg: algorithm, use: 'sig' },
  }
}
