import { mkdtemp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { DockerEngine } from './docker-engine.ts'
import type { Machine } from './machine.ts'
import { writeOciLayout } from './oci-layout.ts'
import type { Output } from './program.ts'
import type { Login } from './registry-client.ts'
import { writeTar } from './small-tar.ts'

/** Somebody at one of the clients. What they do may be refused. */
export interface Person {
  login(registry: string, login: Login): Promise<Output>
  logout(registry: string): Promise<Output>
  /** The same small image each time. */
  push(image: string): Promise<Output>
  pull(image: string): Promise<Output>
}

export type ClientName = 'docker' | 'podman' | 'buildah' | 'skopeo'

/** Who is logged in nowhere yet. */
export type People = (client: ClientName) => Promise<Person>

/** People on this machine, whose docker has this engine. */
export async function peopleOf(machine: Machine, engine: DockerEngine): Promise<People> {
  const tar = await writeTar(machine, 'what people push')
  const layout = await writeOciLayout(machine, 'what-people-push', '1')
  await (await engine.client()).run('import', tar, small)
  await machine.run('podman', ['import', '--quiet', tar, small])
  const ofOneLibrary = {
    podman: { push: (image: string) => ['push', small, image], pull: (image: string) => ['pull', image] },
    buildah: {
      push: (image: string) => ['push', small, image],
      pull: (image: string) => ['pull', '--policy', 'always', image],
    },
    skopeo: {
      push: (image: string) => ['copy', `oci:${layout.directory}:1`, image],
      pull: (image: string) => ['copy', image, `dir:${layout.directory}-pulled`],
    },
  } as const

  return async (client) => {
    if (client === 'docker') return atDocker(engine)
    const env = { REGISTRY_AUTH_FILE: join(await mkdtemp(join(machine.directory, 'home', `${client}-`)), 'auth.json') }
    // buildah wants it to be there.
    await writeFile(env.REGISTRY_AUTH_FILE, '{}')
    const attempt = async (args: readonly string[], input = '') => machine.attempt(client, args, { env, input })
    const { push, pull } = ofOneLibrary[client]
    return {
      login: async (registry, { name, password }) =>
        attempt(['login', '--username', name, '--password-stdin', registry], password),
      logout: async (registry) => attempt(['logout', registry]),
      push: async (image) => attempt(push(`docker://${image}`)),
      pull: async (image) => attempt(pull(`docker://${image}`)),
    }
  }
}

const small = 'localhost/small:1'

async function atDocker(engine: DockerEngine): Promise<Person> {
  const client = await engine.client()
  return {
    login: async (registry, { name, password }) => client.login(registry, name, password),
    logout: async (registry) => client.attempt('logout', registry),
    push: async (image) => {
      await client.run('tag', small, image)
      return client.attempt('push', image)
    },
    pull: async (image) => {
      await client.attempt('rmi', image)
      return client.attempt('pull', image)
    },
  }
}
