import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { isExecutable } from './available.ts'
import type { Machine } from './machine.ts'
import type { Output } from './program.ts'

/** Debian's client, and a newer one where the machine has it. */
export const dockerClients: readonly string[] = ['/usr/bin/docker', '/usr/local/bin/docker'].filter(isExecutable)

/** One person at a docker client: who is logged in is known to nobody else. */
export interface DockerClient {
  /** Keeps what the person is logged in with. */
  readonly configFile: string
  /** Runs `docker …`, which must succeed, and resolves with what it printed. */
  run(...args: readonly string[]): Promise<string>
  /** The same for what is expected to be refused. */
  attempt(...args: readonly string[]): Promise<Output>
  login(registry: string, user: string, password: string): Promise<Output>
  /** The same person in front of a build by BuildKit, which talks to registries with code of its own. */
  buildWithBuildKit(...args: readonly string[]): Promise<string>
}

/** A docker engine of its own inside the machine; it ends with it. */
export interface DockerEngine {
  /** Somebody who is not logged in anywhere; `timeoutMs` is for each command. */
  client(program?: string, timeoutMs?: number): Promise<DockerClient>
}

/** `options` of dockerd, besides those that let it run here. */
export async function startDockerEngine(
  machine: Machine,
  options: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<DockerEngine> {
  const usual = ['--iptables=false', '--ip6tables=false', '--bridge=none']
  const engine = machine.start('dockerd', [...usual, ...options], { env })
  await engine.says(/API listen on/)
  return {
    client: async (program = dockerClients[0] ?? 'docker', timeoutMs = 120_000) =>
      clientIn(machine, program, timeoutMs),
  }
}

async function clientIn(machine: Machine, program: string, timeoutMs: number): Promise<DockerClient> {
  const DOCKER_CONFIG = await mkdtemp(join(machine.directory, 'home', 'docker-'))
  // The classic builder needs neither network nor runtime for images made `FROM scratch`.
  const env = { DOCKER_CONFIG, DOCKER_BUILDKIT: '0' }
  return {
    configFile: join(DOCKER_CONFIG, 'config.json'),
    run: async (...args) => machine.run(program, args, { env, timeoutMs }),
    attempt: async (...args) => machine.attempt(program, args, { env, timeoutMs }),
    login: async (registry, user, password) =>
      machine.attempt(program, ['login', '--username', user, '--password-stdin', registry], {
        env,
        timeoutMs,
        input: password,
      }),
    buildWithBuildKit: async (...args) =>
      machine.run(program, ['build', ...args], { env: { DOCKER_CONFIG, DOCKER_BUILDKIT: '1' }, timeoutMs }),
  }
}
