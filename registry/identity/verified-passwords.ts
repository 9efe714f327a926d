import { hash, randomBytes } from 'node:crypto'
import { isUserName } from '../domain/user-name.ts'
import type { UserRecord } from '../storage/access-store.ts'
import type { AccessAdministration } from './access-administration.ts'
import { atMost } from './at-most.ts'
import type { Directory } from './directory.ts'
import { memoryCache } from '../storage/memory-cache.ts'
import { hashPassword, verifyPassword } from './passwords.ts'
import type { UserSource } from './user-source.ts'

export interface PasswordCheck {
  /** The user, when this very password was found right a short while ago: a push must not cost a hash a request. */
  recall(name: string, password: string): Promise<UserRecord | undefined>
  /** The user when the password is right, whoever keeps it. Throws UNAVAILABLE when that one cannot be asked. */
  verify(name: string, password: string): Promise<UserRecord | undefined>
}

interface Parts {
  readonly directory: Directory
  readonly administration: AccessAdministration
  /** Asked in this order for a name that no other realm has. */
  readonly sources: readonly UserSource[]
}

const rememberMs = 5 * 60_000
/** Nobody tells us when a password changes elsewhere. */
const rememberElsewhereMs = 60_000
const maxRemembered = 10_000
/** argon2 runs on the threads that files are read with: a flood of wrong passwords must leave some of them. */
const concurrentHashes = 2

export async function openPasswordCheck({ directory, administration, sources }: Parts): Promise<PasswordCheck> {
  const remembered = memoryCache<true>(maxRemembered)
  const running = new Map<string, Promise<UserRecord | undefined>>()
  const inTurn = atMost(concurrentHashes)
  const key = randomBytes(32).toString('base64')
  // Verified in place of a user who does not exist, so that the time taken does not tell who does.
  const nobody = await hashPassword(randomBytes(32).toString('hex'))

  /** The kept hash is part of it, so that a new password counts at once. */
  const attemptOf = async (
    name: string,
    password: string,
    { realm, passwordHash = '' }: UserRecord,
  ): Promise<string> => {
    const revision = await sources.find((source) => source.realm === realm)?.revision?.()
    return hash('sha256', JSON.stringify([key, name, password, realm, passwordHash, revision ?? 0]), 'base64')
  }

  const verifyHere = async (user: UserRecord | undefined, password: string): Promise<UserRecord | undefined> => {
    const right = await inTurn(() => verifyPassword(password, user?.passwordHash ?? nobody))
    return right && user?.kind === 'user' && user.passwordHash !== undefined ? user : undefined
  }

  const verifyElsewhere = async (name: string, password: string): Promise<UserRecord | undefined> => {
    for (const source of sources) {
      const found = await source.checkPassword(name, password)
      if (!found || !isUserName(found.name)) continue
      const { realm } = source
      const { admin, email, groups } = found
      const ours = await administration.keepRealmUser({ name: found.name, realm, admin, email, realmGroups: groups })
      return ours ? await administration.findUser(found.name) : undefined
    }
    return undefined
  }

  const verify = async (name: string, password: string): Promise<UserRecord | undefined> => {
    const known = await administration.findUser(name)
    if (known?.realm === 'internal' || (!known && sources.length === 0)) return verifyHere(known, password)
    return verifyElsewhere(name, password)
  }

  return {
    async recall(name, password) {
      const known = await directory.find(name)
      return known && (await remembered.get(await attemptOf(name, password, known.record))) ? known.record : undefined
    },

    async verify(name, password) {
      // Many requests come at once when a client begins.
      const asked = JSON.stringify([name, password])
      let verification = running.get(asked)
      if (!verification) {
        verification = verify(name, password).finally(() => running.delete(asked))
        running.set(asked, verification)
      }
      const user = await verification
      if (user) {
        const forMs = user.realm === 'internal' ? rememberMs : rememberElsewhereMs
        await remembered.set(await attemptOf(user.name, password, user), true, forMs)
      }
      return user
    },
  }
}
