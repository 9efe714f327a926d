import { RegistryError } from '../../domain/errors.ts'
import type { AccessAdministration } from '../access-administration.ts'
import type { AccessTokenService } from '../access-tokens.ts'
import type { Directory } from '../directory.ts'
import type { SourceUser } from '../user-source.ts'

export interface ShortLived {
  /** With groups the name of a principal that is no user and lives as long as the token: `<provider>/<rule>`. */
  readonly user: string
  readonly groups: readonly string[] | undefined
  readonly scope: string | undefined
  readonly lifeSeconds: number
  /** For people who look at a list of tokens. */
  readonly description: string
}

/** Makes a token that is good for a short time. Throws UNAUTHORIZED when there is no such user. */
export type IssueShortLived = (
  wish: ShortLived,
) => Promise<{ readonly token: string; readonly expiresInSeconds: number }>

/** Takes notice of someone who has logged in. Throws DENIED when the name belongs to a user from elsewhere. */
export type OnLogin = (provider: string, user: SourceUser) => Promise<void>

/** What OIDC wants from the users and tokens of this registry. */
export interface OidcConnection {
  readonly issueShortLived: IssueShortLived
  readonly onLogin: OnLogin
}

interface Parts {
  readonly directory: Directory
  readonly administration: AccessAdministration
  readonly accessTokens: AccessTokenService
}

export function connectOidc({ directory, administration, accessTokens }: Parts): OidcConnection {
  return {
    async issueShortLived({ user, groups, scope, lifeSeconds, description }) {
      if (!groups && !(await directory.find(user)))
        throw new RegistryError('UNAUTHORIZED', {
          message: `the rule is for the user ${user}, who does not exist here`,
        })
      const ofGroups = groups && `applied-permissions/groups:${groups.join(',')}`
      const scopes = [ofGroups, scope].filter((part) => part !== undefined).join(' ')
      const made = await accessTokens.make({
        user,
        kind: 'access',
        scope: scopes || undefined,
        lifeSeconds,
        description,
      })
      return { token: made.token, expiresInSeconds: lifeSeconds }
    },

    async onLogin(provider, { name, admin, email, groups }) {
      const realm = `oidc:${provider}` as const
      if (await administration.keepRealmUser({ name, realm, admin, email, realmGroups: groups })) {
        await administration.recordLogin(name, new Date())
        return
      }
      throw new RegistryError('DENIED', { message: `${name} is the name of a user who does not come from ${provider}` })
    },
  }
}
