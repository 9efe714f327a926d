import type { PermissionTarget } from '../domain/permission-target.ts'

/** Where a user comes from, and who checks its password. */
export type Realm = 'internal' | 'htpasswd' | 'ldap' | `oidc:${string}`

export interface UserRecord {
  readonly name: string
  /** A robot has no password, only tokens. */
  readonly kind: 'user' | 'robot'
  readonly realm: Realm
  /** As `identity/passwords.ts` encodes it; says its own parameters. Undefined: no password opens it. */
  readonly passwordHash: string | undefined
  readonly admin: boolean
  readonly email: string | undefined
  /** Those that its realm says it is in; for the others see {@link Groups}. */
  readonly realmGroups: readonly string[]
  readonly lastLogin: Date | undefined
}

/** What it names becomes so, `undefined` included; what it does not name stays. */
export type UserChange = Partial<Pick<UserRecord, 'kind' | 'passwordHash' | 'admin' | 'email'>> & {
  /** All that it is a member of; see {@link Groups}. */
  readonly groups?: readonly string[]
}

/** The outcome of taking something from a user. The last admin of this store stays one: nobody could undo it. */
export type Outcome = 'done' | 'unknown' | 'last admin'

export interface Users {
  findUser(name: string): Promise<UserRecord | undefined>
  /** False when the name is taken. It joins every group that new users join, and `groups`. */
  addUser(user: UserRecord, groups?: readonly string[]): Promise<boolean>
  /**
   * All of it or, refused, nothing. A change of the password ends the tokens that stand for it: refresh tokens and the encrypted password. To lose the password is to
   * lose the way in, so that the last admin keeps it.
   */
  changeUser(name: string, change: UserChange): Promise<Outcome>
  /** With all that names it: memberships, permissions, tokens. */
  removeUser(name: string): Promise<Outcome>
  /** In byte order. */
  listUsers(): Promise<readonly UserRecord[]>
  /**
   * Adds the user of another realm, to every group that new users join and to `groups`, or takes over what that realm says of it now.
   * False when the name belongs to another realm.
   */
  keepRealmUser(user: RealmUser, groups?: readonly string[]): Promise<boolean>
  /** Not kept when the disk is full. */
  recordLogin(name: string, at: Date): Promise<void>
}

export type RealmUser = Pick<UserRecord, 'name' | 'realm' | 'admin' | 'email' | 'realmGroups'>

export interface GroupRecord {
  readonly name: string
  readonly description: string
  /** Whether new users become members. */
  readonly autoJoin: boolean
  /** Whether its members may do everything. */
  readonly admins: boolean
}

/** Members are names: users of any realm, whether known here or not. */
export interface Groups {
  findGroup(name: string): Promise<GroupRecord | undefined>
  /** Makes it or replaces what it says; members stay unless named. Resolves with whether it is new. */
  putGroup(group: GroupRecord, members?: readonly string[]): Promise<boolean>
  /** With all that names it. */
  removeGroup(name: string): Promise<boolean>
  listGroups(): Promise<readonly GroupRecord[]>
  membersOf(group: string): Promise<readonly string[]>
  groupsOf(user: string): Promise<readonly string[]>
  setGroupsOf(user: string, groups: readonly string[]): Promise<void>
  /** False when it is one already. */
  addMember(group: string, user: string): Promise<boolean>
  /** False when it is none. */
  removeMember(group: string, user: string): Promise<boolean>
}

export interface PermissionTargets {
  findTarget(name: string): Promise<PermissionTarget | undefined>
  /** Makes or replaces it. Resolves with whether it is new. */
  putTarget(target: PermissionTarget): Promise<boolean>
  /** Says anew who may do what there, and leaves what the target is about. False when there is none. */
  putGrants(name: string, grants: Pick<PermissionTarget, 'users' | 'groups'>): Promise<boolean>
  removeTarget(name: string): Promise<boolean>
  listTargets(): Promise<readonly PermissionTarget[]>
}

/**
 * `access` and `refresh`: any number, their secret is shown once. `api key`, `encrypted password`: one a user, made from the id and a key
 * of the product, so that they can be shown again.
 */
export type TokenKind = 'access' | 'refresh' | 'api key' | 'encrypted password'

export interface TokenRecord {
  readonly id: string
  readonly kind: TokenKind
  /** Who it stands for. */
  readonly user: string
  /** SHA-256 of the secret, hexadecimal. */
  readonly secretHash: string
  /** What it is good for, as `identity/token-scope.ts` reads it. */
  readonly scope: string
  /** Whether it was made for a name that was no user's. Otherwise it is good for no longer than its user is there. */
  readonly standsAlone: boolean
  /** It ends when its user's password has another stamp. Undefined: it does not depend on a password. */
  readonly passwordStamp: string | undefined
  readonly description: string
  readonly issuedAt: Date
  readonly expiresAt: Date | undefined
  readonly lastUsedAt: Date | undefined
}

export interface AccessTokens {
  /**
   * Where there would be more than `keep` of the user's tokens of this kind that have not expired, the oldest go; but of kind `access`,
   * which somebody may rely on, one more is refused: throws CONFLICT.
   */
  addToken(token: TokenRecord, keep: number): Promise<void>
  findToken(id: string): Promise<TokenRecord | undefined>
  /** Not kept when the disk is full. */
  recordTokenUse(id: string, at: Date): Promise<void>
  removeToken(id: string): Promise<boolean>
  /** The newest first; of everybody, or of one user. */
  listTokens(user: string | undefined): Promise<readonly TokenRecord[]>
  removeExpiredTokens(before: Date): Promise<number>
}

export interface SigningKeyRecord {
  /** The `kid` of its JWK. */
  readonly id: string
  /** With the private part. */
  readonly jwk: string
  readonly madeAt: Date
}

export interface SigningKeys {
  /** The newest first. */
  listSigningKeys(): Promise<readonly SigningKeyRecord[]>
  /** Keeps it unless there is one already that was made after `unlessSince`; keys made before `dropBefore` go. */
  addSigningKey(key: SigningKeyRecord, unlessSince: Date, dropBefore: Date): Promise<void>
}

/** Small values that the product makes once and keeps. */
export interface Secrets {
  /** The kept value; when there is none, `make`'s is kept and returned. */
  secret(name: string, make: () => Promise<string>): Promise<string>
}

/** Who may do what, as it is kept. Each method is one transaction. */
export interface AccessStore extends Users, Groups, PermissionTargets, AccessTokens, SigningKeys, Secrets {
  /** Is another one whenever something about users, groups or permission targets has changed, whoever changed it. */
  accessVersion(): Promise<number>
}
