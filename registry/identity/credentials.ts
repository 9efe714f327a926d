import { RegistryError } from '../domain/errors.ts'

/** What an `Authorization` header says. */
export type Credentials =
  | { readonly kind: 'none' }
  | { readonly kind: 'password'; readonly name: string; readonly password: string }
  | { readonly kind: 'token'; readonly token: string }

const basic = /^basic +([A-Za-z0-9+/_-]+={0,2}) *$/i
/** Docker 1.5 and 1.6 say it of no token too, and what python's registry gave them has the scheme in it already. */
const v1Token = /^(?:token *)+(?:signature=([A-Za-z0-9._-]+),.*)?$/i
const bearer = /^bearer +([A-Za-z0-9._~+/-]+=*) *$/i

/** Throws UNAUTHORIZED for what it does not understand: a request with credentials is never quietly anonymous. */
export function parseCredentials(authorization: string): Credentials {
  const token = bearer.exec(authorization)?.[1]
  if (token !== undefined) return { kind: 'token', token }

  const ofV1 = v1Token.exec(authorization)
  if (ofV1) return ofV1[1] === undefined ? { kind: 'none' } : { kind: 'token', token: ofV1[1] }

  const encoded = basic.exec(authorization)?.[1]
  const pair = encoded === undefined ? '' : Buffer.from(encoded, 'base64').toString()
  // RFC 7617 §2: the first colon ends the user name.
  const colon = pair.indexOf(':')
  if (colon === -1)
    throw new RegistryError('UNAUTHORIZED', {
      message: 'the Authorization header is neither "Basic <user:password in base64>" nor "Bearer <token>"',
    })
  // podman and its kin say this where Basic is asked for and they have no credentials.
  if (pair === ':') return { kind: 'none' }
  return { kind: 'password', name: pair.slice(0, colon), password: pair.slice(colon + 1) }
}
