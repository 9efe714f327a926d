/** A user as another system knows it. `name` is in that system's own spelling, and the one that counts here. */
export interface SourceUser {
  readonly name: string
  readonly email: string | undefined
  readonly groups: readonly string[]
  readonly admin: boolean
  /** Another one after each change of the password. Undefined: the source does not tell. */
  readonly passwordStamp?: string | undefined
}

/** Users and passwords that are kept elsewhere. */
export interface UserSource {
  readonly realm: 'htpasswd' | 'ldap'
  /** Another one each time when its users or passwords have changed. Undefined: nobody tells us. */
  revision?(): Promise<number>
  /** Undefined when there is no such user, or the password is wrong. Throws UNAVAILABLE when it cannot be asked. */
  checkPassword(name: string, password: string): Promise<SourceUser | undefined>
  /** As it is now, for whoever shows a token of its; undefined when it is gone. Throws UNAVAILABLE when it cannot be asked. */
  findUser(name: string): Promise<SourceUser | undefined>
}
