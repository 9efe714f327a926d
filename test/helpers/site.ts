import { startCaisson } from './caisson.ts'
import type { Caisson } from './caisson.ts'
import { Machine } from './machine.ts'

/** The product, and a machine whose clients reach it by real names and verify its certificate. */
export interface Site extends AsyncDisposable {
  readonly caisson: Caisson
  readonly machine: Machine
  /** The repository docker-local by a port of its own, by the first path segment and by a host name of its own. */
  readonly docks: readonly Dock[]
  /** A name that resolves and is on the certificate, but whose authority nobody has made known to the clients. */
  readonly untrusted: string
}

/** One way to address a repository. */
export interface Dock {
  readonly by: 'port' | 'path' | 'host'
  /** What one logs in to. */
  readonly registry: string
  /** What stands before the image. */
  readonly prefix: string
}

/** Ports of a site that was there before, or any free ones; `registry` is the section of that name. */
export function siteConfig([byName, byPort]: readonly number[] = [0, 0], registry: object = {}): unknown {
  return {
    registry,
    gateway: {
      workers: 2,
      listeners: [{ port: byName }, { port: byPort, repository: 'docker-local' }],
      hosts: {
        localhost: { repositoryFrom: 'path' },
        'registry.test': { repositoryFrom: 'path' },
        '*.registry.test': { repositoryFrom: 'host' },
        'not-yet-trusted.test': 'docker-local',
      },
    },
  }
}

/** `registry` is the section of that name in its configuration. */
export async function openSite(registry: object = {}): Promise<Site> {
  await using opened = new AsyncDisposableStack()
  const machine = opened.use(
    await Machine.create(['registry.test', 'docker-local.registry.test', 'not-yet-trusted.test']),
  )
  const caisson = opened.use(await startCaisson({ config: siteConfig([0, 0], registry) }))
  const docks = docksOf(caisson)
  for (const { registry } of docks) await machine.trust(registry, caisson.authorityFile)

  const site = opened.move()
  const untrusted = `not-yet-trusted.test:${caisson.ports[0]}`
  return { caisson, machine, docks, untrusted, [Symbol.asyncDispose]: async () => site.disposeAsync() }
}

function docksOf({ ports: [byName, byPort] }: Caisson): readonly Dock[] {
  const [port, path, host] = [
    `registry.test:${byPort}`,
    `registry.test:${byName}`,
    `docker-local.registry.test:${byName}`,
  ]
  return [
    { by: 'port', registry: port, prefix: port },
    { by: 'path', registry: path, prefix: `${path}/docker-local` },
    { by: 'host', registry: host, prefix: host },
  ]
}
