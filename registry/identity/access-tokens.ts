import { createHmac, hash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { UserPrincipal } from '../domain/permissions.ts'
import type { AccessTokens, Secrets, TokenKind, TokenRecord } from '../storage/access-store.ts'
import { atMost } from './at-most.ts'
import type { Directory } from './directory.ts'
import { parseTokenScope, userScope, withinScope, type TokenScope } from './token-scope.ts'

/** Secrets that work in place of a password, each on its own: it can be revoked, may do less and may end. */
export interface AccessTokenService {
  /** The token is told here and never again. Its text goes nowhere but to whom it was made for. */
  make(wish: TokenWish): Promise<MadeToken>
  /** Undefined: it is not ours, has ended, was revoked, or its user is gone. */
  check(text: string): Promise<ShownToken | undefined>
  /** The same for one that was shown before, by its id. */
  checkAgain(id: string): Promise<ShownToken | undefined>
  /** The user's API key, or the encrypted password that docker's configuration file is given. Undefined: none has been made. */
  standing(user: string, kind: StandingKind): Promise<string | undefined>
  /** The one there is, or a new one. */
  ensureStanding(user: string, kind: StandingKind): Promise<{ readonly token: string; readonly isNew: boolean }>
  /** Ends the one before. */
  renewStanding(user: string, kind: StandingKind): Promise<string>
  /** Those that have not ended, the newest first; of everybody, or of one user. */
  list(user?: string): Promise<readonly TokenRecord[]>
  /** Undefined: there is none, or it has ended. */
  find(id: string): Promise<TokenRecord | undefined>
  /** It is good for nothing from now on, nor is what was given for it. False when there is none. */
  revoke(id: string): Promise<boolean>
}

/** One a user. They can be shown again, as Artifactory does: their secrets follow from the id and a key of the product. */
export type StandingKind = Extract<TokenKind, 'api key' | 'encrypted password'>

export interface TokenWish {
  readonly user: string
  readonly kind: 'access' | 'refresh'
  /** By {@link parseTokenScope}. Default: all that the user may do. */
  readonly scope?: string | undefined
  readonly description: string
  /** Undefined: until it is revoked. */
  readonly lifeSeconds: number | undefined
}

export interface MadeToken {
  readonly token: string
  readonly record: TokenRecord
}

export interface ShownToken {
  readonly record: TokenRecord
  readonly principal: UserPrincipal
}

/** What it looks like, so that those who look for secrets in public places can find them: `csn_<id>_<secret>`. */
const form = /^csn_([a-z0-9]{16})_([A-Za-z0-9_-]{43})$/
const idCharacters = 'abcdefghijklmnopqrstuvwxyz0123456789'
/** How many a user has at most. */
const keep: Readonly<Record<TokenKind, number>> = {
  access: 10_000,
  refresh: 100,
  'api key': 1,
  'encrypted password': 1,
}
/** When a token was last used is known to the minute. */
const useStepMs = 60_000

/** They stand for the password. */
const endsWithPassword: ReadonlySet<TokenKind> = new Set(['refresh', 'encrypted password'])

export function looksLikeAccessToken(text: string): boolean {
  return form.test(text)
}

/** The id of a token, which is no secret. Undefined for what is none of ours. */
export function tokenIdOf(text: string): string | undefined {
  return form.exec(text)?.[1]
}

export async function openAccessTokens(
  store: AccessTokens & Secrets,
  directory: Directory,
  now: () => Date = () => new Date(),
): Promise<AccessTokenService> {
  const key = await store.secret('standing-token-key', async () => randomBytes(32).toString('hex'))
  const standingSecret = (id: string): string => createHmac('sha256', key).update(id).digest('base64url')
  const narrowed = new WeakMap<TokenRecord, { readonly owner: UserPrincipal | undefined; readonly shown: ShownToken }>()
  const usedAtMs = new WeakMap<TokenRecord, number>()

  const isGood = ({ expiresAt }: TokenRecord): boolean => !expiresAt || expiresAt > now()

  /** The same object until something about the token or its owner changes. */
  const shownBy = async (record: TokenRecord): Promise<ShownToken | undefined> => {
    if (!isGood(record)) return undefined
    const user = await directory.find(record.user)
    if (!user && !record.standsAlone) return undefined
    if (record.passwordStamp !== undefined && user?.passwordStamp !== record.passwordStamp) return undefined
    const owner = user?.principal
    const known = narrowed.get(record)
    if (known && known.owner === owner) return known.shown
    const scope = parseTokenScope(record.scope)
    if (scope.kind === 'admin' && owner && !owner.admin) return undefined
    const nobodyElse: UserPrincipal = { kind: 'user', name: record.user, admin: false, groups: [] }
    const shown = { record, principal: withinScope(owner ?? nobodyElse, scope) }
    narrowed.set(record, { owner, shown })
    return shown
  }

  const noteUse = async (record: TokenRecord): Promise<void> => {
    const at = now()
    if (at.getTime() - (usedAtMs.get(record) ?? record.lastUsedAt?.getTime() ?? 0) < useStepMs) return
    usedAtMs.set(record, at.getTime())
    await store.recordTokenUse(record.id, at)
  }

  const add = async (wish: Omit<TokenWish, 'kind'> & { readonly kind: TokenKind }): Promise<MadeToken> => {
    const id = newId()
    const standing = wish.kind === 'api key' || wish.kind === 'encrypted password'
    const secret = standing ? standingSecret(id) : randomBytes(32).toString('base64url')
    const issuedAt = now()
    const owner = await directory.find(wish.user)
    const record: TokenRecord = {
      id,
      kind: wish.kind,
      user: wish.user,
      secretHash: hash('sha256', secret, 'hex'),
      scope: wish.scope ?? userScope,
      standsAlone: owner === undefined && standsAlone(parseTokenScope(wish.scope ?? userScope)),
      passwordStamp: endsWithPassword.has(wish.kind) ? owner?.passwordStamp : undefined,
      description: wish.description,
      issuedAt,
      expiresAt: wish.lifeSeconds === undefined ? undefined : new Date(issuedAt.getTime() + wish.lifeSeconds * 1000),
      lastUsedAt: undefined,
    }
    await store.addToken(record, keep[wish.kind])
    return { token: `csn_${id}_${secret}`, record }
  }

  const findStanding = async (user: string, kind: StandingKind): Promise<string | undefined> => {
    const record = (await store.listTokens(user)).find((token) => token.kind === kind)
    return record && `csn_${record.id}_${standingSecret(record.id)}`
  }
  const renewStanding = async (user: string, kind: StandingKind): Promise<string> =>
    (await add({ user, kind, description: kind, lifeSeconds: undefined })).token
  const inTurn = atMost(1)

  return {
    make: add,

    async check(text) {
      const [, id, secret] = form.exec(text) ?? []
      if (id === undefined || secret === undefined) return undefined
      const record = await directory.findToken(id)
      const right = isSame(hash('sha256', secret, 'hex'), record?.secretHash ?? '0'.repeat(64))
      if (!record || !right) return undefined
      const shown = await shownBy(record)
      if (shown) await noteUse(record)
      return shown
    },

    async checkAgain(id) {
      const record = await directory.findToken(id)
      return record && shownBy(record)
    },

    standing: findStanding,
    renewStanding,

    /** One at a time: each that is made ends the one before, which somebody may just have been told. */
    ensureStanding: (user, kind) =>
      inTurn(async () => {
        const kept = await findStanding(user, kind)
        return kept === undefined
          ? { token: await renewStanding(user, kind), isNew: true }
          : { token: kept, isNew: false }
      }),

    list: async (user) => (await store.listTokens(user)).filter(isGood),
    async find(id) {
      const record = await store.findToken(id)
      return record && isGood(record) ? record : undefined
    },
    revoke: (id) => store.removeToken(id),
  }
}

/** Who has groups, or an admin's rights, by the token itself need not be a user here; who was one when it was made has to be one. */
function standsAlone({ kind }: TokenScope): boolean {
  return kind === 'groups' || kind === 'admin'
}

function newId(): string {
  return Array.from(randomBytes(16), (byte) => idCharacters[byte % idCharacters.length]).join('')
}

function isSame(one: string, other: string): boolean {
  return timingSafeEqual(Buffer.from(one, 'hex'), Buffer.from(other, 'hex'))
}
