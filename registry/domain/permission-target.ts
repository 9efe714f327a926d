import { isAntPattern } from './ant-pattern.ts'
import { isRepositoryKey } from './names.ts'
import { suggestion } from './nearest.ts'
import type { Action } from './permissions.ts'

/** Instead of repository keys: each of a kind, those included that are made later. */
export const anyRepository = ['ANY', 'ANY LOCAL', 'ANY REMOTE'] as const
export type AnyRepository = (typeof anyRepository)[number]

/** Who may do what where. What no target allows is denied; an exclude pattern counts only within its target. */
export interface PermissionTarget {
  readonly name: string
  /** Keys, or words of {@link anyRepository}. */
  readonly repositories: readonly string[]
  /** Ant patterns over `<image>/<tag>`. */
  readonly includes: readonly string[]
  readonly excludes: readonly string[]
  readonly users: Grants
  readonly groups: Grants
}

/** Actions by the name of who has them. */
export type Grants = Readonly<Record<string, readonly Action[]>>

/** Undefined: `repository` may stand in a target. */
export function problemWithRepository(repository: string): string | undefined {
  if (isAny(repository) || isRepositoryKey(repository)) return undefined
  return `"${repository}" is neither a repository key nor one of ${anyRepository.join(', ')}`
}

/** What to say of the first that is neither one of `known` nor a word of {@link anyRepository}; undefined when there is none. */
export function unknownRepository(repositories: readonly string[], known: readonly string[]): string | undefined {
  const words = [...known, ...anyRepository]
  const unknown = repositories.find((repository) => !words.includes(repository))
  return unknown === undefined ? undefined : `there is no repository "${unknown}"${suggestion(unknown, words)}`
}

/** Undefined: `pattern` may stand in a target. */
export function problemWithPattern(pattern: string): string | undefined {
  if (isAntPattern(pattern)) return undefined
  return (
    `"${pattern}" is not a pattern over <image>/<tag>: expected "**", or at least two segments of letters (in images lower-case), ` +
    'digits, ".", "_", "-", "*" and "?", "**" by itself; a/b is the tag b of the image a, a/b/** the image a/b'
  )
}

function isAny(repository: string): repository is AnyRepository {
  return anyRepository.some((word) => word === repository)
}
