import { RegistryError } from '../../domain/errors.ts'
import type { SourceUser } from '../user-source.ts'

/** Makes a token that is good for a short time. Throws UNAUTHORIZED when there is no such user. */
export interface IssueShortLived {
  (grant: {
    /** With groups the name of a principal that is no user and lives as long as the token: `<provider>/<rule>`. */
    readonly user: string
    readonly groups: readonly string[] | undefined
    readonly scope: string | undefined
    readonly lifeSeconds: number
    /** For people who look at a list of tokens. */
    readonly description: string
  }): Promise<{ readonly token: string; readonly expiresInSeconds: number }>
}

/** Takes notice of someone who has logged in. Throws DENIED when the name belongs to a user from elsewhere. */
export interface OnLogin {
  (provider: string, user: SourceUser): Promise<void>
}

/** What OIDC wants from the users and tokens of this registry. */
export interface OidcConnection {
  readonly issueShortLived: IssueShortLived
  readonly onLogin: OnLogin
}

/** As long as OIDC knows neither users nor tokens: it refuses. */
export const notConnected: OidcConnection = {
  issueShortLived: async () => await refuse(),
  onLogin: async () => await refuse(),
}

async function refuse(): Promise<never> {
  throw new RegistryError('UNAVAILABLE', { message: 'OIDC is not connected to the users of this registry' })
}
