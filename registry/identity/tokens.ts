import { hash, randomUUID } from 'node:crypto'
import { decodeProtectedHeader, errors, jwtVerify, SignJWT, type JWK } from 'jose'
import { z } from 'zod'
import { actions, type Action } from '../domain/permissions.ts'
import { isImageName, isRepositoryKey, type ImageName, type RepositoryKey } from '../domain/names.ts'
import type { SigningKeys } from '../storage/access-store.ts'
import { memoryCache } from '../storage/memory-cache.ts'
import { algorithm, openSigningKeys, type OpenSigningKeys } from './signing-keys.ts'

export interface Grant {
  readonly repository: RepositoryKey
  readonly image: ImageName
  readonly actions: readonly Action[]
}

/** What a token of ours says: who has it and what it is good for, as long as its owner may do that. */
export interface TokenContents {
  /** Undefined when it was given to anonymous. */
  readonly owner: TokenOwner | undefined
  readonly grants: readonly Grant[]
  /** Whether it is good for listing images. */
  readonly catalog: boolean
}

/** Whom the token was given to, and for what: when that is no longer good, neither is the token. */
export interface TokenOwner {
  readonly user: string
  /** The access token that was shown for it. */
  readonly tokenId?: string | undefined
  /** Of the password that was shown for it; see `passwordStamp`. */
  readonly passwordStamp?: string | undefined
}

export interface IssuedToken {
  readonly token: string
  readonly expiresInSeconds: number
  readonly issuedAt: Date
}

export interface VerifiedToken {
  readonly contents: TokenContents
  readonly expiresAtMs: number
}

export interface Tokens {
  /** `service` is the registry's name as the client knows it. */
  issue(contents: TokenContents, service: string): Promise<IssuedToken>
  /** Undefined when the token is not ours or has expired. */
  verify(token: string): Promise<VerifiedToken | undefined>
  /** The keys that they can be verified with, for others. */
  published(): Promise<readonly JWK[]>
}

export interface TokenLife {
  readonly lifeSeconds: number
  /** How long one key signs. */
  readonly keyLifeMs: number
}

const issuer = 'caisson'
const maxRemembered = 10_000

export async function openTokens(
  store: SigningKeys,
  { lifeSeconds, keyLifeMs }: TokenLife,
  now: () => Date = () => new Date(),
): Promise<Tokens> {
  const keys = await openSigningKeys(store, { signsMs: keyLifeMs, verifiesMs: lifeSeconds * 1000 }, now)
  // An ES256 verification costs more than the rest of a small request.
  const verified = memoryCache<VerifiedToken>(maxRemembered)

  return {
    issue: (contents, service) => issue(keys, contents, service, lifeSeconds, now()),
    published: () => keys.published(),
    async verify(token) {
      const digest = hash('sha256', token, 'base64')
      const known = await verified.get(digest)
      if (known) return known.expiresAtMs > now().getTime() ? known : undefined
      const fresh = await verify(keys, token, now())
      if (fresh) await verified.set(digest, fresh, lifeSeconds * 1000)
      return fresh
    },
  }
}

async function issue(
  keys: OpenSigningKeys,
  { owner, grants, catalog }: TokenContents,
  service: string,
  lifeSeconds: number,
  issuedAt: Date,
): Promise<IssuedToken> {
  const seconds = Math.floor(issuedAt.getTime() / 1000)
  const { id, key } = await keys.current()
  const token = await new SignJWT({ access: grants, catalog, tok: owner?.tokenId, pw: owner?.passwordStamp })
    .setProtectedHeader({ alg: algorithm, typ: 'JWT', kid: id })
    .setIssuer(issuer)
    .setSubject(owner?.user ?? '')
    .setAudience(service)
    .setIssuedAt(seconds)
    .setNotBefore(seconds)
    .setExpirationTime(seconds + lifeSeconds)
    .setJti(randomUUID())
    .sign(key)
  return { token, expiresInSeconds: lifeSeconds, issuedAt }
}

const claims = z.object({
  sub: z.string(),
  exp: z.number(),
  tok: z.string().optional(),
  pw: z.string().optional(),
  access: z.array(
    z.object({
      repository: z.string().refine(isRepositoryKey),
      image: z.string().refine(isImageName),
      actions: z.array(z.enum(actions)),
    }),
  ),
  catalog: z.boolean(),
})

async function verify(keys: OpenSigningKeys, token: string, now: Date): Promise<VerifiedToken | undefined> {
  try {
    const { kid, alg } = decodeProtectedHeader(token)
    const key = alg === algorithm && kid !== undefined ? await keys.find(kid) : undefined
    if (!key) return undefined
    const { payload } = await jwtVerify(token, key, { issuer, algorithms: [algorithm], currentDate: now })
    const { success, data } = claims.safeParse(payload)
    // Another version of this product has signed it.
    if (!success) return undefined
    const { sub, exp, access, catalog, tok, pw } = data
    const owner = sub === '' ? undefined : { user: sub, tokenId: tok, passwordStamp: pw }
    return { contents: { owner, grants: access, catalog }, expiresAtMs: exp * 1000 }
  } catch (error) {
    // A TypeError is what jose throws for what is no token at all.
    if (error instanceof errors.JOSEError || error instanceof TypeError) return undefined
    throw error
  }
}
