import { Agent } from 'node:https'
import { authorityOf, startCaisson } from './caisson.ts'
import type { Caisson } from './caisson.ts'
import { Machine } from './machine.ts'
import { RegistryClient } from './registry-client.ts'
import type { Login } from './registry-client.ts'

/** The product with several repositories, each on a host name of its own, and people who may do different things there. */
export interface Company extends AsyncDisposable {
  readonly caisson: Caisson
  readonly machine: Machine
  /** What one logs in to for the repository; it stands before its images too. */
  host(repository: string): string
  /** Through the gateway, without credentials. */
  client(repository: string): Promise<RegistryClient>
}

export interface CompanyPlan {
  /** What else stands under `registry:`. */
  readonly registry?: Readonly<Record<string, unknown>>
  readonly repositories: Readonly<Record<string, RepositoryPlan>>
  /** What else stands under `gateway.hosts`, by the first label of the name. */
  readonly hosts?: Readonly<Record<string, object>>
  /** Their passwords are those of {@link loginOf}. */
  readonly users: readonly string[]
  /** They have tokens and no password. */
  readonly robots?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

type Actions = readonly ('read' | 'annotate' | 'deploy' | 'delete' | 'manage')[]

export interface RepositoryPlan {
  /** Who may do what; `anonymous` is everybody. */
  readonly users: Readonly<Record<string, Actions>>
  readonly groups?: Readonly<Record<string, Actions>>
  readonly immutableTags?: readonly string[]
  /** How its host asks for a login, where that is not the usual way. */
  readonly challenge?: 'token' | 'basic'
}

export function loginOf(name: string): Login {
  return { name, password: `password of ${name}` }
}

/** On a machine of its own, or on that of a company with the same hosts. */
export async function openCompany(plan: CompanyPlan, neighbour?: Company): Promise<Company> {
  await using opened = new AsyncDisposableStack()
  const labels = Object.keys({ ...plan.repositories, ...plan.hosts })
  const machine = neighbour?.machine ?? opened.use(await Machine.create(labels.map(nameOf)))
  const passwords = Object.fromEntries(plan.users.map((user) => [variableOf(user), loginOf(user).password]))
  const caisson = opened.use(await startCaisson({ config: configOf(plan), env: { ...passwords, ...plan.env } }))
  const host = (repository: string) => `${nameOf(repository)}:${caisson.ports[0]}`
  for (const label of labels) await machine.trust(host(label), caisson.authorityFile)

  const company = opened.move()
  return {
    caisson,
    machine,
    host,
    client: async (repository) => {
      const agent = new Agent({ ca: await authorityOf(caisson), servername: nameOf(repository) })
      const where = { host: '127.0.0.1', port: caisson.ports[0] ?? 0, agent }
      return new RegistryClient(where, '/v2').with({ host: host(repository) })
    },
    [Symbol.asyncDispose]: async () => company.disposeAsync(),
  }
}

function nameOf(repository: string): string {
  return `${repository}.registry.test`
}

function variableOf(user: string): string {
  return `PASSWORD_OF_${user.toUpperCase()}`
}

function configOf({ registry, repositories, hosts = {}, users, robots = [] }: CompanyPlan): unknown {
  const each = Object.entries(repositories)
  const local = each.map(([key, { immutableTags = [] }]) => [key, { type: 'local', immutableTags }])
  const rights = each.map(([key, { users, groups = {} }]) => [key, { repositories: [key], users, groups }])
  const named = each.map(([key, { challenge }]) => [nameOf(key), { repository: key, ...(challenge && { challenge }) }])
  const people = users.map((user) => [user, { password: { env: variableOf(user) } }])
  return {
    registry: {
      ...registry,
      repositories: Object.fromEntries(local),
      users: Object.fromEntries([...people, ...robots.map((robot) => [robot, { robot: true }])]),
      permissions: Object.fromEntries(rights),
    },
    gateway: {
      workers: 2,
      listeners: [{ port: 0 }],
      hosts: Object.fromEntries([...named, ...Object.entries(hosts).map(([label, host]) => [nameOf(label), host])]),
    },
  }
}
