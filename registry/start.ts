import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Logger } from 'pino'
import type { RegistryConfig } from './config.ts'
import { openApp } from './http/app.ts'
import { listen, type Listener } from './http/listener.ts'
import { parseListenAddress, type ListenAddress } from './http/listen-address.ts'
import { Peers } from './http/peers.ts'
import { openIdentities } from './identity/authenticate.ts'
import { ensureFirstAdmin, type FirstAdmin } from './identity/first-admin.ts'
import { openTokens } from './identity/tokens.ts'
import { openPasswordCheck } from './identity/verified-passwords.ts'
import { openRepositories } from './repositories/repositories.ts'
import { openFilesystemBlobs } from './storage/filesystem-blobs.ts'
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
  /** Takes no new connections, lets running requests finish, closes what it has opened. */
  stop(): Promise<void>
}

/** Throws an error fit to be shown to the person who started it; nothing is left open then. */
export async function startRegistry(parts: RegistryParts): Promise<Registry> {
  const { config, dataDirectory, log, firstAdminPassword, version } = parts
  const addresses = config.listen.map(parseListenAddress)
  const peers = new Peers(config.trustedProxies)

  await using opened = new AsyncDisposableStack()
  await mkdir(dataDirectory, { recursive: true, mode: 0o700 })
  const metadata = opened.use(await openSqliteMetadata(config.database.slice('sqlite:'.length)))
  const blobs = opened.use(await openFilesystemBlobs(blobDirectories(config)))
  const firstAdmin = await ensureFirstAdmin(metadata, dataDirectory, firstAdminPassword)

  const checkPassword = await openPasswordCheck(metadata)
  const tokens = await openTokens(metadata)
  const services = {
    config,
    repositories: openRepositories(config.repositories, { blobs, metadata }),
    identities: openIdentities(metadata, checkPassword, tokens),
    checkPassword,
    tokens,
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

  const running = opened.move()
  return {
    addresses: listeners.map((listener) => listener.address),
    firstAdmin,
    stop: () => running.disposeAsync(),
  }
}

/** Uploads become blobs by renaming, so they are kept beside them. */
function blobDirectories({ storage: { filesystem } }: RegistryConfig) {
  return { blobs: filesystem, uploads: join(dirname(filesystem), 'uploads') }
}
