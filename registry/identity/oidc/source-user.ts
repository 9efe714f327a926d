import type { OidcProvider } from '../../config.ts'
import { RegistryError } from '../../domain/errors.ts'
import type { JsonObject } from '../../domain/json.ts'
import { isUserName, userNameForm } from '../../domain/user-name.ts'
import type { SourceUser } from '../user-source.ts'
import { claimAt, valuesAt } from './claims.ts'

type UserClaims = Pick<OidcProvider, 'userClaim' | 'groupsClaim' | 'groupMapping' | 'adminGroup'>

/** Whom the provider's claims are about. Throws DENIED when they name nobody who could be a user here. */
export function sourceUserOf(provider: string, claims: JsonObject, config: UserClaims): SourceUser {
  const { email } = claims
  const groups = valuesAt(claims, config.groupsClaim)
  return {
    name: nameOf(provider, claims, config.userClaim),
    email: typeof email === 'string' && claims['email_verified'] !== false ? email : undefined,
    groups: config.groupMapping ? mapped(groups, config.groupMapping) : groups,
    admin: config.adminGroup !== undefined && groups.includes(config.adminGroup),
  }
}

/**
 * One claim alone counts: were another one taken when it is missing, whoever can empty their own would become the user
 * that the other one names.
 */
function nameOf(provider: string, claims: JsonObject, userClaim: string): string {
  const name = claimAt(claims, userClaim)
  if (typeof name !== 'string') throw denied(provider, `it says no user name in the claim ${userClaim}`)
  // OpenID Connect Core 1.0 §5.1: what is not verified may be anybody's address.
  if (userClaim === 'email' && claims['email_verified'] !== true)
    throw denied(provider, 'it has not verified the e-mail address that is the user name')
  if (!isUserName(name)) throw denied(provider, `its claim ${userClaim} is no user name here: expected ${userNameForm}`)
  return name
}

function mapped(groups: readonly string[], mapping: Readonly<Record<string, string>>): readonly string[] {
  return [...new Set(groups.flatMap((group) => (Object.hasOwn(mapping, group) ? (mapping[group] ?? []) : [])))]
}

function denied(provider: string, reason: string): RegistryError {
  return new RegistryError('DENIED', { message: `the provider "${provider}" lets nobody in this way: ${reason}` })
}
