import { RegistryError } from '../domain/errors.ts'
import { anonymous, type Principal } from '../domain/permissions.ts'
import type { Users } from '../storage/metadata-store.ts'
import { parseCredentials } from './credentials.ts'
import type { TokenContents, Tokens } from './tokens.ts'
import type { CheckPassword } from './verified-passwords.ts'

/** Who sent a request, and how that is known. A token may be good for less than its owner may do. */
export type Caller =
  | { readonly by: 'nothing' }
  | { readonly by: 'password'; readonly user: Principal & { readonly kind: 'user' } }
  | { readonly by: 'token'; readonly token: TokenContents }

/** Undefined when nobody has logged in. */
export function userOf(caller: Caller): string | undefined {
  switch (caller.by) {
    case 'nothing':
      return undefined
    case 'password':
      return caller.user.name
    case 'token':
      return caller.token.user
  }
}

export interface Identities {
  /** Throws UNAUTHORIZED for credentials that are wrong. */
  authenticate(authorization: string | undefined): Promise<Caller>
  /** The one behind the caller; anonymous when that user no longer exists. */
  principalOf(caller: Caller): Promise<Principal>
}

export function openIdentities(users: Users, checkPassword: CheckPassword, tokens: Tokens): Identities {
  return {
    async authenticate(authorization) {
      const credentials = parseCredentials(authorization)
      switch (credentials.kind) {
        case 'none':
          return { by: 'nothing' }
        case 'token': {
          const token = await tokens.verify(credentials.token)
          if (!token) throw new RegistryError('UNAUTHORIZED', { message: 'the token is not valid or has expired' })
          return { by: 'token', token }
        }
        case 'password': {
          const user = await checkPassword(credentials.name, credentials.password)
          if (!user) throw new RegistryError('UNAUTHORIZED', { message: 'wrong user name or password' })
          return { by: 'password', user: { kind: 'user', name: user.name, admin: user.admin } }
        }
      }
    },

    async principalOf(caller) {
      if (caller.by === 'password') return caller.user
      if (caller.by === 'nothing' || caller.token.user === undefined) return anonymous
      const user = await users.findUser(caller.token.user)
      return user ? { kind: 'user', name: user.name, admin: user.admin } : anonymous
    },
  }
}
