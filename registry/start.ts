import type { Logger } from 'pino'
import { placesOf, quotaBytesOf, type RegistryConfig } from './config.ts'
import { bytesOf } from './domain/size.ts'
import { openApp } from './http/app.ts'
import { listen, type Listener } from './http/listener.ts'
import { parseListenAddress, type ListenAddress } from './http/listen-address.ts'
import { Peers } from './http/peers.ts'
import { openIdentities } from './identity/authenticate.ts'
import { ensureFirstAdmin, type FirstAdmin } from './identity/first-admin.ts'
import { notConnected, type OidcConnection } from './identity/oidc/connection.ts'
import { openOidc } from './identity/oidc/oidc.ts'
import { openSessions } from './identity/sessions.ts'
import { openTokens } from './identity/tokens.ts'
import { openPasswordCheck } from './identity/verified-passwords.ts'
import { GarbageCollection } from './jobs/garbage-collection.ts'
import { schedule } from './jobs/schedule.ts'
import { refuseUnfinishedRestore } from './jobs/unfinished-restore.ts'
import { recoverUploads } from './jobs/upload-recovery.ts'
import { openMetrics } from './metrics.ts'
import { openRepositories } from './repositories/repositories.ts'
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
  /** Default: none, and then OIDC refuses. */
  readonly oidcConnection?: OidcConnection | undefined
}

export interface Registry {
  readonly addresses: readonly ListenAddress[]
  /** What the first start made; undefined on later ones. To be shown to a person once. */
  readonly firstAdmin: FirstAdmin | undefined
  /** Takes no new connections, lets running requests finish, closes what it has opened. */
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
  const metadata = opened.use(await openSqliteMetadata(places.database))
  const keptFree = bytesOf(config.limits.freeSpace)
  const blobs = opened.use(await openFilesystemBlobs(blobDirectories(places.blobs), keptFree))
  const storage = { blobs, metadata }
  await recoverUploads(storage, (key) => quotaBytesOf(config.repositories[key]))
  const firstAdmin = await ensureFirstAdmin(metadata, dataDirectory, firstAdminPassword)

  const checkPassword = await openPasswordCheck(metadata)
  const tokens = await openTokens(metadata)
  const metrics = openMetrics(metadata)
  const garbage = new GarbageCollection(storage, config, metrics, log)
  const services = {
    config,
    repositories: openRepositories(config, storage),
    identities: openIdentities(metadata, checkPassword, tokens),
    checkPassword,
    tokens,
    oidc: await openOidc(config.oidc, parts.oidcConnection ?? notConnected),
    sessions: openSessions(),
    metrics,
    collectGarbage: () => garbage.collect(),
    log,
    version,
  }
  const answer = openApp(services, peers).callback()
  const listeners: Listener[] = []
  opened.defer(async () => {
    await Promise.all(listeners.map((listener) => listener.stop()))
  })
  for (const address of addresses)
    listeners.push(await listen(address, answer, (server) => peers.watch(server, address.kind)))

  opened.use(schedule(garbage.jobs, log))
  const running = opened.move()
  return {
    addresses: listeners.map((listener) => listener.address),
    firstAdmin,
    stop: () => running.disposeAsync(),
  }
}
