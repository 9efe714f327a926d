import { randomBytes } from 'node:crypto'
import { EncryptJWT, errors, jwtDecrypt } from 'jose'
import { z } from 'zod'

/** What a login must come back with. */
const pendingLogin = z.object({
  state: z.string(),
  nonce: z.string(),
  codeVerifier: z.string(),
  returnTo: z.string(),
})
export type PendingLogin = z.output<typeof pendingLogin>

/**
 * Logins that have been begun are kept by the browsers that began them, encrypted in a cookie: anybody may begin logins, and
 * in a memory of ours they could push out those of others. Nobody else has the cookie, and that is what binds a login to
 * its browser. That it is used once is up to the provider, which takes a code only once (RFC 6749 §4.1.2).
 */
export interface PendingLogins {
  seal(provider: string, login: PendingLogin): Promise<string>
  /** Undefined when it is none of ours, of another provider, or too old. */
  open(provider: string, sealed: string): Promise<PendingLogin | undefined>
}

export const pendingSeconds = 600
const [alg, enc] = ['dir', 'A256GCM']

/** With a key of this process: after a restart logins are begun anew. */
export function openPendingLogins(now: () => number, key = randomBytes(32)): PendingLogins {
  return {
    seal: async (provider, login) =>
      await new EncryptJWT({ ...login })
        .setProtectedHeader({ alg, enc })
        .setAudience(provider)
        .setExpirationTime(Math.floor(now() / 1000) + pendingSeconds)
        .encrypt(key),

    async open(provider, sealed) {
      try {
        const { payload } = await jwtDecrypt(sealed, key, {
          audience: provider,
          keyManagementAlgorithms: [alg],
          contentEncryptionAlgorithms: [enc],
          requiredClaims: ['exp'],
          currentDate: new Date(now()),
        })
        return pendingLogin.parse(payload)
      } catch (error) {
        if (error instanceof errors.JOSEError) return undefined
        throw error
      }
    },
  }
}
