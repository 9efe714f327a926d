import type { Logger } from 'pino'
import type { AuditLog } from '../audit/audit-log.ts'
import type { RegistryConfig } from '../config.ts'
import type { AccessAdministration } from '../identity/access-administration.ts'
import type { AccessTokenService } from '../identity/access-tokens.ts'
import type { Identities } from '../identity/authenticate.ts'
import type { Directory } from '../identity/directory.ts'
import type { Oidc } from '../identity/oidc/oidc.ts'
import type { Sessions } from '../identity/sessions.ts'

import type { Tokens } from '../identity/tokens.ts'
import type { CollectionSummary } from '../jobs/garbage-collection.ts'
import type { Metrics } from '../metrics.ts'
import type { ImageSearch } from '../repositories/image-search.ts'
import type { Migrations } from '../repositories/migration/migrations.ts'
import type { Repositories } from '../repositories/repositories.ts'
import type { Schema1Conversion } from '../repositories/schema1/conversion.ts'
import type { Peers } from './peers.ts'
import type { ShownContent } from './v2/shown-content.ts'

/** What the HTTP side of the registry stands on. */
export interface Services {
  readonly config: RegistryConfig
  readonly repositories: Repositories
  readonly migrations: Migrations
  readonly schema1: Schema1Conversion
  readonly imageSearch: ImageSearch
  readonly identities: Identities
  readonly directory: Directory
  readonly administration: AccessAdministration
  readonly accessTokens: AccessTokenService
  readonly tokens: Tokens
  readonly peers: Peers
  readonly shownContent: ShownContent
  readonly audit: AuditLog
  readonly oidc: Oidc
  readonly sessions: Sessions
  readonly metrics: Metrics
  /** One round of garbage collection, at once. */
  readonly collectGarbage: () => Promise<CollectionSummary>
  readonly log: Logger
  /** Of the product. */
  readonly version: string
}
