import type { Logger } from 'pino'
import { compileAccessRules, type AccessRules, type AccessSettings } from '../domain/access-rules.ts'
import { RegistryError } from '../domain/errors.ts'
import type { UserPrincipal } from '../domain/permissions.ts'
import type { AccessStore, TokenRecord, UserRecord } from '../storage/access-store.ts'
import type { AccessAdministration } from './access-administration.ts'
import { principalFor } from './principal.ts'
import { passwordStamp } from './password-stamp.ts'
import type { SourceUser, UserSource } from './user-source.ts'

/** Who there is and what they may do, kept in memory for as long as nothing about it changes. */
export interface Directory {
  /** The same object as long as nothing has changed that is known of here. */
  generation(): Promise<object>
  /** Undefined: there is no such user, or no longer. */
  find(name: string): Promise<KnownUser | undefined>
  /** Undefined: there is no such token, or no longer. */
  findToken(id: string): Promise<TokenRecord | undefined>
  rules(): Promise<AccessRules>
}

export interface KnownUser {
  readonly record: UserRecord
  /** The same object until something about the user changes. */
  readonly principal: UserPrincipal
  /** See {@link passwordStamp}. */
  readonly passwordStamp: string
}

interface Parts {
  readonly administration: AccessAdministration
  readonly store: Pick<AccessStore, 'accessVersion' | 'findToken'>
  readonly sources: readonly UserSource[]
  /** Names of those that are configured. */
  readonly oidcProviders: readonly string[]
  readonly settings: AccessSettings
  readonly log: Logger
  readonly nowMs?: () => number
}

/** What other systems say of their users is asked again after this. */
const sourceStaleMs = 60_000
const maxRemembered = 10_000

export function openDirectory(parts: Parts): Directory {
  const { administration, store, settings, nowMs = Date.now } = parts
  let kept = empty('')
  let checked: Promise<void> | undefined

  const revisions = () => parts.sources.map(async (source) => source.revision?.())
  const check = async (): Promise<void> => {
    const version = [await store.accessVersion(), ...(await Promise.all(revisions()))].join(' ')
    if (version !== kept.version) kept = empty(version)
  }
  /** A change counts for every request that comes after it, whichever process has made it; one answer does for all of one request. */
  const current = async (): Promise<Kept> => {
    if (!checked) {
      checked = check()
      setImmediate(() => (checked = undefined))
    }
    await checked
    return kept
  }

  return {
    generation: current,
    async find(name) {
      const { users } = await current()
      const known = users.get(name)
      if (known && known.untilMs > nowMs()) return known.user
      const user = await findUser(parts, name)
      if (user)
        remember(users, name, { user, untilMs: user.record.realm === 'internal' ? Infinity : nowMs() + sourceStaleMs })
      return user
    },
    async findToken(id) {
      const { tokens } = await current()
      const known = tokens.get(id)
      if (known) return known
      const token = await store.findToken(id)
      if (token) remember(tokens, id, token)
      return token
    },
    async rules() {
      const { rules } = await current()
      if (rules.compiled) return rules.compiled
      return (rules.compiled = compileAccessRules(await administration.listTargets(), settings))
    },
  }
}

interface Kept {
  readonly version: string
  readonly users: Map<string, { readonly user: KnownUser; readonly untilMs: number }>
  readonly tokens: Map<string, TokenRecord>
  readonly rules: { compiled?: AccessRules }
}

/** What is still being looked up for an older version goes into that one's maps, and with them. */
function empty(version: string): Kept {
  return { version, users: new Map(), tokens: new Map(), rules: {} }
}

function remember<value>(map: Map<string, value>, key: string, value: value): void {
  if (map.size >= maxRemembered) map.clear()
  map.set(key, value)
}

async function findUser(parts: Parts, name: string): Promise<KnownUser | undefined> {
  const { administration } = parts
  const record = await administration.findUser(name)
  const seen = record && (await seenNow(record, parts))
  if (!seen) return undefined
  const fresh = record.realm === 'internal' ? record : ((await administration.findUser(name)) ?? record)
  const stamp = passwordStamp(fresh, seen.passwordStamp)
  return { record: fresh, principal: await principalFor(administration, fresh), passwordStamp: stamp }
}

/** Undefined when it is there no longer. A realm that cannot be asked now keeps its users: it is they who would be locked out with it. */
async function seenNow(
  { name, realm }: UserRecord,
  { administration, sources, oidcProviders, log }: Parts,
): Promise<Pick<SourceUser, 'passwordStamp'> | undefined> {
  if (realm === 'internal') return {}
  if (realm.startsWith('oidc:')) return oidcProviders.includes(realm.slice('oidc:'.length)) ? {} : undefined
  const source = sources.find((source) => source.realm === realm)
  if (!source) return undefined
  try {
    const user = await source.findUser(name)
    if (!user) return undefined
    const { admin, email, groups } = user
    return (await administration.keepRealmUser({ name, realm, admin, email, realmGroups: groups })) ? user : undefined
  } catch (error) {
    if (!(error instanceof RegistryError) || error.code !== 'UNAVAILABLE') throw error
    log.warn({ err: error, user: name, realm }, 'the user is taken as last seen')
    return {}
  }
}
