import type { Command } from 'commander'
import pino from 'pino'
import { openAuditAppender } from '../registry/audit/audit-appender.ts'
import type { AuditEvent } from '../registry/audit/audit-log.ts'
import { administerAccess, type AccessAdministration } from '../registry/identity/access-administration.ts'
import { openAccessTokens, type AccessTokenService } from '../registry/identity/access-tokens.ts'
import { declaredWithoutPasswords } from '../registry/identity/declared-access.ts'
import { openDirectory } from '../registry/identity/directory.ts'
import type { AccessSettings } from '../registry/domain/access-rules.ts'
import { accessSettings } from '../registry/repositories/places.ts'
import { suggestion } from '../registry/domain/nearest.ts'
import type { UserRecord } from '../registry/storage/access-store.ts'
import { openSqliteMetadata } from '../registry/storage/sqlite-metadata.ts'
import { loadConfig, type CaissonConfig } from './config.ts'
import { existingDatabase } from './existing-database.ts'

/** Who may do what, of a registry that runs or of one that does not. */
export interface Access {
  readonly administration: AccessAdministration
  readonly tokens: AccessTokenService
  readonly settings: AccessSettings
  /** Keys of all repositories. */
  readonly repositories: readonly string[]
}

export interface ChangingAccess extends Access {
  /** To the audit log, after the change. */
  readonly record: (event: Pick<AuditEvent, 'type' | 'subject' | 'action' | 'reason'>) => Promise<void>
}

/** Works on the database itself. Throws when there is none: what is made in a new one would take the place of the first admin. */
export async function withAccess<result>(command: Command, use: (access: Access) => Promise<result>): Promise<result> {
  return await onDatabase(await loadConfig(command.optsWithGlobals()), use)
}

/** Nothing is changed when the audit log cannot be written. */
export async function changeAccess<result>(
  command: Command,
  use: (access: ChangingAccess) => Promise<result>,
): Promise<result> {
  const config = await loadConfig(command.optsWithGlobals())
  existingDatabase(config)
  const { file } = config.registry.audit
  await using audit = file === 'off' ? undefined : await openAuditAppender(file)
  return await onDatabase(config, async (access) =>
    use({ ...access, record: async (event) => audit?.append({ by: 'command line', ...event }) }),
  )
}

async function onDatabase<result>(config: CaissonConfig, use: (access: Access) => Promise<result>): Promise<result> {
  const { registry } = config
  await using store = await openSqliteMetadata(existingDatabase(config))
  const administration = administerAccess(store, declaredWithoutPasswords(registry))
  const settings = accessSettings(registry)
  const log = pino({ enabled: false })
  const directory = openDirectory({
    administration,
    store,
    sources: [],
    oidcProviders: Object.keys(registry.oidc),
    settings,
    log,
  })
  const tokens = await openAccessTokens(store, directory)
  return await use({ administration, tokens, settings, repositories: Object.keys(registry.repositories) })
}

/** Throws an error that names whom it may have been meant to be. */
export async function existingUser({ administration }: Access, name: string): Promise<UserRecord> {
  const user = await administration.findUser(name)
  if (user) return user
  const known = (await administration.listUsers()).map(({ name }) => name)
  throw new Error(`there is no user ${name}${suggestion(name, known)}`)
}
