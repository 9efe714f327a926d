import type { Logger } from 'pino'
import type { AuditLog } from './audit/audit-log.ts'
import { condenseLogins } from './audit/condensed-logins.ts'
import { openAuditLog } from './audit/file-audit-log.ts'
import { noAuditLog } from './audit/no-audit-log.ts'
import { placesOf, quotaBytesOf, type RegistryConfig } from './config.ts'
import { milliseconds } from './domain/duration.ts'
import { bytesOf } from './domain/size.ts'
import { openApp } from './http/app.ts'
import { listen, type Listener } from './http/listener.ts'
import { parseListenAddress, type ListenAddress } from './http/listen-address.ts'
import { Peers } from './http/peers.ts'
import { openShownContent } from './http/v2/shown-content.ts'
import { openAccessTokens } from './identity/access-tokens.ts'
import { administerAccess } from './identity/access-administration.ts'
import { openIdentities } from './identity/authenticate.ts'
import { readDeclaredAccess } from './identity/declared-access.ts'
import { openDirectory } from './identity/directory.ts'
import { ensureDefaultPermissions } from './identity/default-permissions.ts'
import { ensureFirstAdmin, type FirstAdmin } from './identity/first-admin.ts'
import { openLoginAttempts } from './identity/login-attempts.ts'
import { connectOidc } from './identity/oidc/connection.ts'
import { openOidc } from './identity/oidc/oidc.ts'
import { openSessions } from './identity/sessions.ts'
import { openTokens } from './identity/tokens.ts'
import { openUserSources } from './identity/user-sources.ts'
import { openPasswordCheck } from './identity/verified-passwords.ts'
import { GarbageCollection } from './jobs/garbage-collection.ts'
import { prefetchJobs } from './jobs/prefetch.ts'
import { schedule } from './jobs/schedule.ts'
import { tokenExpiry } from './jobs/token-expiry.ts'
import { refuseUnfinishedRestore } from './jobs/unfinished-restore.ts'
import { unusedImages } from './jobs/unused-images.ts'
import { recoverUploads } from './jobs/upload-recovery.ts'
import { openMetrics } from './metrics.ts'
import { openImageSearch } from './repositories/image-search.ts'
import { accessSettings } from './repositories/places.ts'
import { openRepositories } from './repositories/repositories.ts'
import { Migrations } from './repositories/migration/migrations.ts'
import { openSchema1Conversion } from './repositories/schema1/conversion.ts'
import { schema1Key } from './repositories/schema1/signing-key.ts'
import { blobDirectories } from './storage/blob-directories.ts'
import { openFilesystemBlobs } from './storage/filesystem-blobs.ts'
import { lockPlaces } from './storage/process-lock.ts'
import { openSqliteMetadata } from './storage/sqlite-metadata.ts'

/** Paths in `config` are absolute. */
export interface RegistryParts {
  readonly config: RegistryConfig
  /** Made when missing; nobody else can look into it. */
  readonly dataDirectory: string
  readonly log: Logger
  /** Of the product, for those who ask. */
  readonly version: string
  /** Of the user `admin`, on the first start. Default: a generated one, kept in `<data>/admin-password`. */
  readonly firstAdminPassword?: string | undefined
}

export interface Registry {
  readonly addresses: readonly ListenAddress[]
  /** What the first start made; undefined on later ones. To be shown to a person once. */
  readonly firstAdmin: FirstAdmin | undefined
  /**
   * Takes no new connections, lets running requests finish, closes what it has opened. Those that wait for what comes from another
   * registry are broken off; what has come of it is kept.
   */
  stop(): Promise<void>
}

/** Throws an error fit to be shown to the person who started it; nothing is left open then. */
export async function startRegistry(parts: RegistryParts): Promise<Registry> {
  const { config, dataDirectory, log, firstAdminPassword, version } = parts
  const addresses = config.listen.map(parseListenAddress)
  const peers = new Peers(config.trustedProxies)

  await using opened = new AsyncDisposableStack()
  const places = placesOf(dataDirectory, config)
  opened.use(await lockPlaces(places))
  refuseUnfinishedRestore(dataDirectory)
  const audit = opened.use(await openConfiguredAuditLog(config, log))
  const metadata = opened.use(await openSqliteMetadata(places.database))
  const keptFree = bytesOf(config.limits.freeSpace)
  const blobs = opened.use(await openFilesystemBlobs(blobDirectories(places.blobs), keptFree))
  const storage = { blobs, metadata }
  await recoverUploads(storage, (key) => quotaBytesOf(config.repositories[key]))
  const administration = administerAccess(metadata, await readDeclaredAccess(config, metadata))
  await ensureDefaultPermissions(administration, metadata, log)
  const firstAdmin = await ensureFirstAdmin(administration, dataDirectory, firstAdminPassword)

  const { sources } = opened.use(await openUserSources(config, log))
  const settings = accessSettings(config)
  const directory = openDirectory({
    administration,
    store: metadata,
    sources,
    oidcProviders: Object.keys(config.oidc),
    settings,
    log,
  })
  const accessTokens = await openAccessTokens(metadata, directory)
  const tokens = await openTokens(metadata, {
    lifeSeconds: milliseconds(config.tokens.life) / 1000,
    keyLifeMs: milliseconds(config.tokens.keyLife),
  })
  const passwords = await openPasswordCheck({ directory, administration, sources })
  const attempts = openLoginAttempts()
  const metrics = openMetrics(metadata)
  const garbage = new GarbageCollection(storage, config, metrics, log)
  const repositories = opened.use(await openRepositories(config, { storage, metrics, log }))
  const migrations = new Migrations({ blobs, metadata, schema1Key: schema1Key(metadata), now: () => new Date() }, log)
  const services = {
    config,
    repositories,
    migrations,
    schema1: openSchema1Conversion(metadata),
    imageSearch: openImageSearch(metadata, config),
    identities: openIdentities({ directory, administration, passwords, accessTokens, tokens, attempts, audit }),
    directory,
    administration,
    accessTokens,
    tokens,
    peers,
    shownContent: openShownContent(),
    audit,
    oidc: await openOidc(config.oidc, connectOidc({ directory, administration, accessTokens })),
    sessions: openSessions(),
    metrics,
    collectGarbage: () => garbage.collect(),
    log,
    version,
  }
  const answer = openApp(services).callback()
  const listeners: Listener[] = []
  opened.defer(async () => {
    // What still comes in from other registries may take hours, and requests wait for it; so do they for the end of a migration.
    const ends = [repositories[Symbol.asyncDispose](), migrations.close()]
    await Promise.all([...listeners.map((listener) => listener.stop()), ...ends])
  })
  for (const address of addresses)
    listeners.push(await listen(address, answer, (server) => peers.watch(server, address.kind)))

  const jobs = [
    ...garbage.jobs,
    tokenExpiry(metadata),
    unusedImages(metadata, config, metrics, log),
    ...prefetchJobs(config, (key) => repositories.find(key), log),
  ]
  opened.use(schedule(jobs, log))
  const running = opened.move()
  return {
    addresses: listeners.map((listener) => listener.address),
    firstAdmin,
    stop: () => running.disposeAsync(),
  }
}

async function openConfiguredAuditLog({ audit }: RegistryConfig, log: Logger): Promise<AuditLog> {
  if (audit.file === 'off') return noAuditLog
  const rotation = { atBytes: bytesOf(audit.rotateAt), keep: audit.keep }
  return condenseLogins(await openAuditLog({ file: audit.file, rotation, log }))
}
