import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import pino from 'pino'
import { registrySection } from '../../registry/config.ts'
import { startRegistry, type Registry, type RegistryParts } from '../../registry/start.ts'
import { RegistryClient, type Login } from './registry-client.ts'
import { temporaryDirectory } from './temporary-directory.ts'

export const admin: Login = { name: 'admin', password: 'correct horse' }

/** The real registry in a directory of its own, on a unix socket and on a TCP port. */
export interface TestRegistry extends AsyncDisposable {
  readonly dataDirectory: string
  readonly socket: string
  readonly port: number
  /** On the unix socket, by key: `<context>/api/docker/docker-local/v2`. */
  readonly admin: RegistryClient
  readonly anonymous: RegistryClient
  /** What has been logged, one parsed line each. */
  readonly log: readonly Readonly<Record<string, unknown>>[]
  running: Registry
  restart(): Promise<void>
  /** Names of the uploads that there are on the disk. */
  uploads(): Promise<readonly string[]>
  /** Names of the blobs that there are on the disk. */
  blobs(): Promise<readonly string[]>
}

export const localV2 = '/artifactory/api/docker/docker-local/v2'

/** `section` is what stands under `registry:` in caisson.yaml; a data directory that is named is kept. */
export async function startTestRegistry(
  section: Readonly<Record<string, unknown>> = {},
  named?: string,
  more: Pick<RegistryParts, 'oidcConnection'> = {},
): Promise<TestRegistry> {
  await using opened = new AsyncDisposableStack()
  const dataDirectory = named ?? join(opened.use(await temporaryDirectory()).path, 'data')
  const socket = join(dataDirectory, 'registry.sock')
  const config = registrySection.parse({
    listen: [`unix:${socket}`, '127.0.0.1:0'],
    storage: { filesystem: join(dataDirectory, 'blobs') },
    database: `sqlite:${join(dataDirectory, 'caisson.db')}`,
    ...section,
  })
  const log: Record<string, unknown>[] = []
  const logger = pino({ level: 'info' }, linesInto(log))
  const parts = { config, dataDirectory, log: logger, version: '1.2.3', firstAdminPassword: admin.password, ...more }
  const start = () => startRegistry(parts)

  const anonymous = new RegistryClient({ socketPath: socket }, localV2)
  const registry: Omit<TestRegistry, typeof Symbol.asyncDispose> = {
    dataDirectory,
    socket,
    log,
    anonymous,
    admin: anonymous.as(admin),
    running: await start(),
    get port() {
      const tcp = this.running.addresses.find((address) => address.kind === 'tcp')
      return tcp?.kind === 'tcp' ? tcp.port : 0
    },
    async restart() {
      await this.running.stop()
      this.running = await start()
    },
    uploads: () => filesBelow(join(dataDirectory, 'uploads')),
    blobs: () => filesBelow(join(dataDirectory, 'blobs')),
  }
  opened.defer(() => registry.running.stop())
  const running = opened.move()
  return Object.assign(registry, { [Symbol.asyncDispose]: () => running.disposeAsync() })
}

async function filesBelow(directory: string): Promise<readonly string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name)
}

function linesInto(log: Record<string, unknown>[]): Writable {
  return new Writable({
    write(line: Buffer, _encoding, done) {
      log.push(JSON.parse(line.toString()) as Record<string, unknown>)
      done()
    },
  })
}
