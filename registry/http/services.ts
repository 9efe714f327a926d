import type { Logger } from 'pino'
import type { RegistryConfig } from '../config.ts'
import type { Identities } from '../identity/authenticate.ts'
import type { Oidc } from '../identity/oidc/oidc.ts'
import type { Sessions } from '../identity/sessions.ts'
import type { CheckPassword } from '../identity/verified-passwords.ts'
import type { Tokens } from '../identity/tokens.ts'
import type { CollectionSummary } from '../jobs/garbage-collection.ts'
import type { Metrics } from '../metrics.ts'
import type { Repositories } from '../repositories/repositories.ts'

/** What the HTTP side of the registry stands on. */
export interface Services {
  readonly config: RegistryConfig
  readonly repositories: Repositories
  readonly identities: Identities
  readonly checkPassword: CheckPassword
  readonly tokens: Tokens
  readonly oidc: Oidc
  readonly sessions: Sessions
  readonly metrics: Metrics
  /** One round of garbage collection, at once. */
  readonly collectGarbage: () => Promise<CollectionSummary>
  readonly log: Logger
  /** Of the product. */
  readonly version: string
}
