import type { z } from 'zod'
import type { ConfigProblem } from './config-problem.ts'
import { knownKeys } from './config-schema.ts'
import { suggestion } from '../registry/domain/nearest.ts'

type Issue = z.core.$ZodIssue

/** One sentence for each thing that the schema found wrong, less those that only follow from another one deeper inside. */
export function explainIssues(issues: readonly Issue[]): readonly ConfigProblem[] {
  const problems = issues.flatMap((issue) => explainIssue(issue))
  const holds = (outer: ConfigProblem, inner: ConfigProblem) =>
    inner.path.length > outer.path.length && outer.path.every((step, index) => inner.path[index] === step)
  return problems.filter((problem) => !problems.some((other) => holds(problem, other)))
}

/** With the nearest valid word for an unknown key. */
function explainIssue(issue: Issue, parent: readonly PropertyKey[] = []): readonly ConfigProblem[] {
  const path = [...parent, ...issue.path]
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({
        path: [...path, key],
        message: unknownKey(key, path),
      }))
    case 'invalid_union': {
      const branch = closest(issue.errors)
      if (branch) return branch.flatMap((inner) => explainIssue(inner, path))
      return [{ path, message: `${quoted(path)}: ${issue.message}` }]
    }
    case 'invalid_key':
      return issue.issues.map(({ message }) => ({ path, message: `${quoted(path)}: ${message}` }))
    case 'invalid_value':
      return [{ path, message: `${quoted(path)}: expected ${issue.values.map(String).join(' or ')}` }]
    default:
      return [{ path, message: `${quoted(path)}: ${issue.message}` }]
  }
}

/** Of repositories and such there are several types, with keys of their own. */
function unknownKey(key: string, path: readonly PropertyKey[]): string {
  const known = knownKeys(path)
  if (known.includes(key)) return `${quoted([...path, key])} is for another type than this`
  return `unknown key ${quoted([...path, key])}${suggestion(key, known)}`
}

/** Of the forms that a value could have, the one it came nearest to: whose complaint lies deepest, and is the shortest. */
function closest(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  const depth = (issues: readonly Issue[]) =>
    Math.max(0, ...issues.map(({ path, code }) => path.length + Number(code !== 'invalid_type')))
  const place = (issues: readonly Issue[]) => Math.max(0, ...issues.map(({ path }) => path.length))
  return [...branches].sort((a, b) => depth(b) - depth(a) || place(b) - place(a) || a.length - b.length)[0]
}

function quoted(path: readonly PropertyKey[]): string {
  return path.map(String).join('.') || 'the configuration'
}
