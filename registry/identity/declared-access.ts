import { createHmac, randomBytes } from 'node:crypto'
import type { AccessConfig, UserConfig } from '../config/access.ts'
import type { PermissionTarget } from '../domain/permission-target.ts'
import { readSecret } from '../config/secret-value.ts'
import type { GroupRecord, Secrets, UserRecord } from '../storage/access-store.ts'
import { checkNewPassword, hashPassword } from './passwords.ts'

/** A user that the configuration file names. */
export interface DeclaredUser {
  readonly record: UserRecord
  /** Undefined: those that new users join. */
  readonly groups: readonly string[] | undefined
}

/** What the configuration file says of who may do what. */
export interface DeclaredAccess {
  readonly users: ReadonlyMap<string, DeclaredUser>
  readonly groups: ReadonlyMap<string, GroupRecord>
  readonly targets: ReadonlyMap<string, PermissionTarget>
}

/** Throws an error fit for people when a password is not where the file says, or is none that one should have. */
export async function readDeclaredAccess(config: AccessConfig, store: Secrets): Promise<DeclaredAccess> {
  const key = await store.secret('declared-password-key', async () => randomBytes(32).toString('hex'))
  const access = declaredWithoutPasswords(config)
  const read = [...access.users].map(async ([name, { record, groups }]) => {
    const password = config.users[name]?.password
    return [
      name,
      { record: { ...record, passwordHash: password && (await hashOf(name, password, key)) }, groups },
    ] as const
  })
  return { ...access, users: new Map(await Promise.all(read)) }
}

/** For commands, which know nobody by a password and may not be allowed to read where these are. */
export function declaredWithoutPasswords({ users, groups, permissions = {} }: AccessConfig): DeclaredAccess {
  return {
    users: new Map(Object.entries(users).map(([name, user]) => [name, declaredUser(name, user)])),
    groups: new Map(Object.entries(groups).map(([name, group]) => [name, { name, ...group }])),
    targets: new Map(Object.entries(permissions).map(([name, target]) => [name, { name, ...target }])),
  }
}

function declaredUser(name: string, { robot, admin, email, groups }: UserConfig): DeclaredUser {
  const nothing = { passwordHash: undefined, realmGroups: [], lastLogin: undefined }
  return { record: { name, kind: robot ? 'robot' : 'user', realm: 'internal', admin, email, ...nothing }, groups }
}

/** The same after each start, or every token that was given for the password would end with the process. */
async function hashOf(name: string, secret: NonNullable<UserConfig['password']>, key: string): Promise<string> {
  try {
    const password = await readSecret(secret)
    checkNewPassword(password)
    return await hashPassword(password, createHmac('sha256', key).update(name).digest().subarray(0, 16))
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`registry.users.${name}.password: ${reason}`, { cause })
  }
}
