import { authorityOf, startCaisson, type Caisson } from './caisson.ts'
import { OldDocker } from './old-docker.ts'
import type { Login, OldVersion } from './old-docker-session.ts'

/** The product with the repository docker-v1 of the V1 API, and docker-local of the V2 API. */
export interface OldDockerSite extends AsyncDisposable {
  readonly caisson: Caisson
  readonly authority: string
  readonly admin: Login
  /** `host:port` of docker-v1 by a name of its own, by a port of its own, and by a port whose `/v2/` is docker-local. */
  readonly docks: Readonly<Record<'host' | 'port' | 'split port', string>>
  docker(version: OldVersion, dock: keyof OldDockerSite['docks'], login?: Login): OldDocker
}

/** `registry` is the section of that name. */
export async function openOldDockerSite(registry: object = {}): Promise<OldDockerSite> {
  const repositories = { 'docker-v1': { type: 'local', apiVersion: 'v1' }, 'docker-local': { type: 'local' } }
  const caisson = await startCaisson({
    config: {
      registry: { repositories, ...registry },
      gateway: {
        workers: 1,
        listeners: [
          { port: 0 },
          { port: 0, repository: 'docker-v1' },
          { port: 0, v1: 'docker-v1', v2: 'docker-local' },
        ],
        hosts: { '*.localhost': { repositoryFrom: 'host' } },
      },
    },
  })
  const authority = await authorityOf(caisson)
  const [byName, byPort, split] = caisson.ports
  const docks = {
    host: `docker-v1.localhost:${byName}`,
    port: `localhost:${byPort}`,
    'split port': `localhost:${split}`,
  }
  return {
    caisson,
    authority,
    admin: { name: 'admin', password: caisson.adminPassword },
    docks,
    docker: (version, dock, login) => new OldDocker(version, { registry: docks[dock], authority }, login),
    [Symbol.asyncDispose]: async () => caisson[Symbol.asyncDispose](),
  }
}
