import { createHmac, randomBytes } from 'node:crypto'
import type { UserRecord, Users } from '../storage/metadata-store.ts'
import { atMost } from './at-most.ts'
import { memoryCache } from './memory-cache.ts'
import { hashPassword, verifyPassword } from './passwords.ts'

/** The user when the password is right. A right password is remembered, so that a push does not cost a hash a request. */
export type CheckPassword = (name: string, password: string) => Promise<UserRecord | undefined>

const rememberMs = 5 * 60_000
const maxRemembered = 10_000
/** argon2 runs on the threads that files are read with: a flood of wrong passwords must leave some of them. */
const concurrentHashes = 2

export async function openPasswordCheck(users: Users): Promise<CheckPassword> {
  const remembered = memoryCache<true>(maxRemembered)
  const running = new Map<string, Promise<boolean>>()
  const inTurn = atMost(concurrentHashes)
  const key = randomBytes(32)
  // Verified in place of a user who does not exist, so that the time taken does not tell who does.
  const nobody = await hashPassword(randomBytes(32).toString('hex'))

  async function verify(attempt: string, password: string, passwordHash: string): Promise<boolean> {
    const right = await inTurn(() => verifyPassword(password, passwordHash))
    if (right && passwordHash !== nobody) await remembered.set(attempt, true, rememberMs)
    return right
  }

  return async (name, password) => {
    const user = await users.findUser(name)
    const passwordHash = user?.passwordHash ?? nobody
    // The kept hash is part of it, so that a new password counts at once.
    const attempt = createHmac('sha256', key)
      .update(JSON.stringify([name, password, passwordHash]))
      .digest('base64')
    if (await remembered.get(attempt)) return user
    let verification = running.get(attempt)
    if (!verification) {
      verification = verify(attempt, password, passwordHash).finally(() => running.delete(attempt))
      running.set(attempt, verification)
    }
    return (await verification) ? user : undefined
  }
}
