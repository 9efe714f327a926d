import { errors, jwtVerify, type JWTPayload } from 'jose'
import { RegistryError } from '../../domain/errors.ts'
import type { Provider } from './provider.ts'

/** None with a shared secret: whoever reads the provider's public key could sign with it. */
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']
const leewaySeconds = 60
const maxAgeSeconds = 24 * 60 * 60

/** What a token of the provider says. Throws UNAUTHORIZED when it is none that counts now, for `audience`. */
export async function verifySubjectToken(
  token: string,
  provider: Provider,
  audience: string,
  now: Date,
): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token, provider.key, {
      issuer: provider.issuer,
      audience,
      algorithms,
      clockTolerance: leewaySeconds,
      maxTokenAge: maxAgeSeconds,
      requiredClaims: ['exp', 'iat'],
      currentDate: now,
    })
    return payload
  } catch (cause) {
    if (!(cause instanceof errors.JOSEError)) throw cause
    const message = `the token is not one of the provider "${provider.name}" that counts: ${reasonOf(cause)}`
    throw new RegistryError('UNAUTHORIZED', { message, cause })
  }
}

/** Names claims, never their values. */
function reasonOf(error: errors.JOSEError): string {
  if (error instanceof errors.JWTExpired) return error.claim === 'exp' ? 'it has expired' : 'it is too old'
  if (error instanceof errors.JWTClaimValidationFailed) return `its claim "${error.claim}" is not as expected`
  if (error instanceof errors.JOSEAlgNotAllowed) return 'its algorithm is not accepted'
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'its signature is wrong'
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys)
    return 'it is signed with no key of the provider'
  return 'it is no signed token'
}
