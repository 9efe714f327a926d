import type { AccessConfig, UserConfig } from '../access-config.ts'
import type { PermissionTarget } from '../domain/permission-target.ts'
import { readSecret } from '../secret-value.ts'
import type { GroupRecord, UserRecord } from '../storage/access-store.ts'
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
export async function readDeclaredAccess({ users, groups, permissions = {} }: AccessConfig): Promise<DeclaredAccess> {
  const read = Object.entries(users).map(async ([name, user]) => [name, await readUser(name, user)] as const)
  return {
    users: new Map(await Promise.all(read)),
    groups: new Map(Object.entries(groups).map(([name, group]) => [name, { name, ...group }])),
    targets: new Map(Object.entries(permissions).map(([name, target]) => [name, { name, ...target }])),
  }
}

async function readUser(name: string, user: UserConfig): Promise<DeclaredUser> {
  const record: UserRecord = {
    name,
    kind: user.robot ? 'robot' : 'user',
    realm: 'internal',
    passwordHash: user.password && (await hashOf(name, user.password)),
    admin: user.admin,
    email: user.email,
    realmGroups: [],
    lastLogin: undefined,
  }
  return { record, groups: user.groups }
}

async function hashOf(name: string, secret: NonNullable<UserConfig['password']>): Promise<string> {
  try {
    const password = await readSecret(secret)
    checkNewPassword(password)
    return await hashPassword(password)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`registry.users.${name}.password: ${reason}`, { cause })
  }
}
