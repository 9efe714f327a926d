import { openAccessTokens } from '../../registry/identity/access-tokens.ts'
import type { AccessTokenService, MadeToken, StandingKind, TokenWish } from '../../registry/identity/access-tokens.ts'
import { hashPassword } from '../../registry/identity/passwords.ts'
import type { PermissionTarget } from '../../registry/domain/permission-target.ts'
import type { UserRecord } from '../../registry/storage/access-store.ts'
import type { MetadataStore } from '../../registry/storage/metadata-store.ts'
import { openSqliteMetadata } from '../../registry/storage/sqlite-metadata.ts'
import { identityOn } from './identity.ts'
import type { Login } from './registry-client.ts'

export function userNamed(name: string, rest: Partial<UserRecord> = {}): UserRecord {
  const usual = { kind: 'user', realm: 'internal', passwordHash: `hash of ${name}`, admin: false } as const
  return { name, ...usual, email: undefined, realmGroups: [], lastLogin: undefined, ...rest }
}

interface Place {
  readonly dataDirectory: string
}

/** As `caisson user add` does it while the registry runs. */
export async function addUser(place: Place, name: string, groups: readonly string[] = []): Promise<Login> {
  const password = `password of ${name}`
  const passwordHash = await hashPassword(password)
  await onAccess(place, (store) => store.addUser(userNamed(name, { passwordHash }), groups))
  return { name, password }
}

/** As another process does it while the registry runs. */
export async function onAccess<result>(
  { dataDirectory }: Place,
  change: (store: MetadataStore) => Promise<result>,
): Promise<result> {
  await using store = await openSqliteMetadata(`${dataDirectory}/caisson.db`)
  return await change(store)
}

/** An access token that does not end, unless said otherwise, made by another process. */
export async function accessToken(
  place: Place,
  user: string,
  scope?: string,
  rest: Partial<TokenWish> = {},
): Promise<MadeToken> {
  const wish: TokenWish = { user, kind: 'access', scope, description: 'of a test', lifeSeconds: undefined, ...rest }
  return await onAccess(place, async (store) => (await tokensOf(store)).make(wish))
}

/** A permission target about everything unless said otherwise. */
export function target(name: string, rest: Partial<PermissionTarget>): PermissionTarget {
  return { name, repositories: ['ANY'], includes: ['**'], excludes: [], users: {}, groups: {}, ...rest }
}

/** An access token of the user as the registry makes it: good for a day, which began at `from`. */
export async function makeToken(place: Place, user: string, from = new Date()): Promise<MadeToken> {
  const wish: TokenWish = { user, kind: 'access', description: 'of a test', lifeSeconds: 86_400 }
  return await onAccess(place, async (store) => (await tokensOf(store, from)).make(wish))
}

/** In place of the one before. */
export async function makeStandingToken(place: Place, user: string, kind: StandingKind): Promise<string> {
  return await onAccess(place, async (store) => (await tokensOf(store)).renewStanding(user, kind))
}

async function tokensOf(store: MetadataStore, at = new Date()): Promise<AccessTokenService> {
  const { directory } = identityOn(store)
  return await openAccessTokens(store, directory, () => at)
}
