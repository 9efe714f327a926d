import type { WorkloadRule } from '../../config.ts'
import type { JsonObject } from '../../domain/json.ts'
import { valuesAt } from './claims.ts'

/** What kept a rule from matching. Names of claims, for the log. */
export interface Miss {
  readonly rule: string
  readonly claims: readonly string[]
}

/** The first rule that the claims match; without one, what each was missing. */
export function matchRule(
  rules: readonly WorkloadRule[],
  claims: JsonObject,
): { readonly rule: WorkloadRule } | { readonly misses: readonly Miss[] } {
  const misses: Miss[] = []
  for (const rule of rules) {
    const missing = Object.entries(rule.claims).filter(([claim, patterns]) => {
      const values = valuesAt(claims, claim)
      return ![patterns].flat().some((pattern) => values.some((value) => matchesPattern(value, pattern)))
    })
    if (missing.length === 0) return { rule }
    misses.push({ rule: rule.name, claims: missing.map(([claim]) => claim) })
  }
  return { misses }
}

/** The whole value, to the letter; `*` stands for any characters. Never goes back, so no value takes long. */
export function matchesPattern(value: string, pattern: string): boolean {
  const [start = '', ...parts] = pattern.split('*')
  const end = parts.pop()
  if (end === undefined) return value === pattern
  if (value.length < start.length + end.length || !value.startsWith(start) || !value.endsWith(end)) return false
  const middle = value.slice(start.length, value.length - end.length)
  let at = 0
  for (const part of parts) {
    const found = middle.indexOf(part, at)
    if (found === -1) return false
    at = found + part.length
  }
  return true
}
