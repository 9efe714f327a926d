import { hash, randomUUID } from 'node:crypto'
import { errors, jwtVerify, SignJWT } from 'jose'
import { z } from 'zod'
import { actions, type Action } from '../domain/permissions.ts'
import { isRepositoryKey, parseImageName, type ImageName, type RepositoryKey } from '../domain/names.ts'
import type { Secrets } from '../storage/metadata-store.ts'
import { memoryCache } from './memory-cache.ts'
import { algorithm, openSigningKey, type SigningKey } from './signing-key.ts'

export interface Grant {
  readonly repository: RepositoryKey
  readonly image: ImageName
  readonly actions: readonly Action[]
}

/** What a token of ours says: who has it and what it is good for. */
export interface TokenContents {
  /** Undefined when it was given to anonymous. */
  readonly user: string | undefined
  readonly grants: readonly Grant[]
  /** Whether it is good for listing images. */
  readonly catalog: boolean
}

export interface IssuedToken {
  readonly token: string
  readonly expiresInSeconds: number
  readonly issuedAt: Date
}

export interface Tokens {
  /** `service` is the registry's name as the client knows it. */
  issue(contents: TokenContents, service: string): Promise<IssuedToken>
  /** Undefined when the token is not ours or has expired. */
  verify(token: string): Promise<TokenContents | undefined>
}

const issuer = 'caisson'
const lifetimeSeconds = 3600
const maxRemembered = 10_000

export async function openTokens(secrets: Secrets, now: () => Date = () => new Date()): Promise<Tokens> {
  const key = await openSigningKey(secrets)
  // An ES256 verification costs more than the rest of a small request.
  const verified = memoryCache<Verified>(maxRemembered)

  return {
    issue: (contents, service) => issue(key, contents, service, now()),
    async verify(token) {
      const digest = hash('sha256', token, 'base64')
      const known = await verified.get(digest)
      if (known) return known.expiresAtMs > now().getTime() ? known.contents : undefined
      const fresh = await verify(key, token, now())
      if (fresh) await verified.set(digest, fresh, lifetimeSeconds * 1000)
      return fresh?.contents
    },
  }
}

async function issue(key: SigningKey, contents: TokenContents, service: string, issuedAt: Date): Promise<IssuedToken> {
  const seconds = Math.floor(issuedAt.getTime() / 1000)
  const { user, grants, catalog } = contents
  const token = await new SignJWT({ access: grants, catalog })
    .setProtectedHeader({ alg: algorithm, typ: 'JWT' })
    .setIssuer(issuer)
    .setSubject(user ?? '')
    .setAudience(service)
    .setIssuedAt(seconds)
    .setNotBefore(seconds)
    .setExpirationTime(seconds + lifetimeSeconds)
    .setJti(randomUUID())
    .sign(key.sign)
  return { token, expiresInSeconds: lifetimeSeconds, issuedAt }
}

const claims = z.object({
  sub: z.string(),
  exp: z.number(),
  access: z.array(
    z.object({
      repository: z.string().refine(isRepositoryKey),
      image: z.string().transform(parseImageName),
      actions: z.array(z.enum(actions)),
    }),
  ),
  catalog: z.boolean(),
})

interface Verified {
  readonly contents: TokenContents
  readonly expiresAtMs: number
}

async function verify(key: SigningKey, token: string, now: Date): Promise<Verified | undefined> {
  try {
    const { payload } = await jwtVerify(token, key.verify, { issuer, algorithms: [algorithm], currentDate: now })
    const { sub, exp, access, catalog } = claims.parse(payload)
    const contents: TokenContents = { user: sub === '' ? undefined : sub, grants: access, catalog }
    return { contents, expiresAtMs: exp * 1000 }
  } catch (error) {
    if (error instanceof errors.JOSEError) return undefined
    throw error
  }
}
