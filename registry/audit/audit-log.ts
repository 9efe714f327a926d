import type { Digest } from '../domain/digest.ts'
import type { ImageName, RepositoryKey, Tag } from '../domain/names.ts'

export const auditTypes = [
  'login',
  'login.failed',
  'login.limited',
  'refused',
  'pushed',
  'deleted',
  'token.made',
  'token.revoked',
  'access.changed',
] as const
export type AuditType = (typeof auditTypes)[number]

/** Something that people may have to answer for. Holds no secret. */
export interface AuditEvent {
  readonly type: AuditType
  /** Who did it or tried to; undefined for anonymous. */
  readonly by?: string | undefined
  /** How that was shown: `password`, `session`, `access`, `refresh`, `api key`, `encrypted password`, `docker token`, `oidc:<provider>`. */
  readonly with?: string | undefined
  /** Of the client, as far as it is known. */
  readonly address?: string | undefined
  readonly requestId?: string | undefined
  readonly repository?: RepositoryKey | undefined
  readonly image?: ImageName | undefined
  readonly tags?: readonly Tag[] | undefined
  readonly digest?: Digest | undefined
  /** What was refused, or done to users, groups, permission targets or tokens. */
  readonly action?: string | undefined
  /** The user, group, permission target or token (by its id) that was changed. */
  readonly subject?: string | undefined
  /** For people. */
  readonly reason?: string | undefined
  /** How many such events the entry stands for, of which it tells the last. Default: 1. */
  readonly times?: number | undefined
}

/** As it was recorded. */
export interface AuditEntry extends AuditEvent {
  readonly at: Date
}

/** What is undefined does not matter. */
export interface AuditQuery {
  /** Not before. */
  readonly from?: Date | undefined
  /** Before, and not at it: the time of the oldest entry of an answer asks for those before. */
  readonly to?: Date | undefined
  readonly types?: readonly AuditType[] | undefined
  readonly by?: string | undefined
  readonly repository?: string | undefined
  readonly image?: string | undefined
  readonly limit: number
}

export interface AuditLog extends AsyncDisposable {
  /** Returns at once and never throws. Events are kept in the order of these calls. */
  record(event: AuditEvent): void
  /** The newest first; as many as `limit`. Sees all that has been recorded before. */
  query(query: AuditQuery): Promise<readonly AuditEntry[]>
}
