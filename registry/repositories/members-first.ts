import type { RepositoryConfig } from '../config.ts'
import { isRepositoryKey, type RepositoryKey } from '../domain/names.ts'

type Entry = readonly [key: RepositoryKey, config: RepositoryConfig]

/** In the order in which they can be opened. Throws for a key that is none, and for members that there are not or that lead back. */
export function membersFirst(entries: readonly (readonly [key: string, config: RepositoryConfig])[]): readonly Entry[] {
  const known = new Map(entries)
  const sorted = new Map<RepositoryKey, RepositoryConfig>()
  const visit = (key: string, by: readonly string[]): void => {
    const config = known.get(key)
    if (!isRepositoryKey(key)) throw new Error(`"${key}" is not a repository key`)
    if (!config) throw new Error(`there is no repository "${key}", which ${by.at(-1)} has as a member`)
    if (by.includes(key)) throw new Error(`members lead back to where they began: ${[...by, key].join(' > ')}`)
    if (sorted.has(key)) return
    if (config.type === 'virtual') for (const member of config.members) visit(member, [...by, key])
    sorted.set(key, config)
  }
  for (const key of known.keys()) visit(key, [])
  return [...sorted]
}
