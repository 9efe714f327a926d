import type { RegistryConfig, VirtualConfig } from '../registry/config.ts'
import type { RepositoryKey } from '../registry/domain/names.ts'
import { suggestion } from '../registry/domain/nearest.ts'
import type { ConfigProblem } from './config-problem.ts'

/** Members and a `deployTo` that cannot be. */
export function wrongMembers({ repositories }: RegistryConfig): readonly ConfigProblem[] {
  const known = Object.keys(repositories)
  return Object.entries(repositories).flatMap(([key, repository]) => {
    if (repository.type !== 'virtual') return []
    const path = ['registry', 'repositories', key]
    const unknown = repository.members
      .filter((member) => !known.includes(member))
      .map((member) => ({
        path: [...path, 'members'],
        message: `${key}: there is no repository "${member}"${suggestion(member, known)}`,
      }))
    const itself = repository.members.some((member) => member === key)
      ? [{ path: [...path, 'members'], message: `${key}: a repository cannot be its own member` }]
      : []
    const ofV1 = repository.members
      .filter((member) => speaksV1(repositories, member))
      .map((member) => ({
        path: [...path, 'members'],
        message: `${key}: ${member} has apiVersion v1, and what it has is not given by a virtual repository yet`,
      }))
    const problem = deployToProblem(repository, repositories)
    const deployTo = problem === undefined ? [] : [{ path: [...path, 'deployTo'], message: `${key}: ${problem}` }]
    return [...unknown, ...itself, ...ofV1, ...deployTo]
  })
}

function deployToProblem(
  { members, deployTo }: VirtualConfig,
  repositories: RegistryConfig['repositories'],
): string | undefined {
  if (deployTo === undefined) return undefined
  if (!members.includes(deployTo)) return 'deployTo must be one of the members'
  const type = repositories[deployTo]?.type
  if (type === undefined || type === 'local') return undefined
  return `deployTo must be a local repository, in which what is pushed stays, and ${deployTo} is ${type}`
}

function speaksV1(repositories: RegistryConfig['repositories'], key: RepositoryKey): boolean {
  const repository = repositories[key]
  return repository?.type === 'local' && repository.apiVersion === 'v1'
}

/** Each loop once, at the first that it leads through. */
export function memberLoops({ repositories }: RegistryConfig): readonly ConfigProblem[] {
  const membersOf = new Map<string, readonly string[]>(
    Object.entries(repositories).map(([key, each]) => [key, each.type === 'virtual' ? each.members : []]),
  )
  const done = new Set<string>()
  const walk = (key: string, by: readonly string[]): readonly (readonly string[])[] => {
    if (by.includes(key)) return [[...by.slice(by.indexOf(key)), key]]
    if (done.has(key)) return []
    const loops = (membersOf.get(key) ?? []).flatMap((member) => walk(member, [...by, key]))
    done.add(key)
    return loops
  }
  const loops = [...membersOf.keys()].flatMap((key) => walk(key, []))
  return loops
    .filter(({ length }) => length > 2)
    .map((loop) => ({
      path: ['registry', 'repositories', loop[0] ?? '', 'members'],
      message: `${loop[0]}: its members lead back to it: ${loop.join(' > ')}`,
    }))
}
