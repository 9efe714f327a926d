import { isRepositoryKey, type GatewayConfig, type Target } from './config.ts'

export interface HostRule {
  /** As it is written in the configuration. */
  readonly pattern: string
  readonly target: Target
}

/** The rule that covers a host, and the label or part of it that `*` stands for. */
export interface CoveredHost {
  readonly rule: HostRule
  readonly star: string | undefined
}

export interface HostRules {
  readonly exact: ReadonlyMap<string, HostRule>
  /** The longest literal part first: it is the most particular one. */
  readonly patterns: readonly HostPattern[]
}

interface HostPattern {
  readonly rule: HostRule
  readonly prefix: string
  readonly suffix: string
}

export function compileHostRules(hosts: GatewayConfig['hosts']): HostRules {
  const rules = Object.entries(hosts).map(([pattern, target]): HostRule => ({ pattern, target }))
  return {
    exact: new Map(rules.filter(({ pattern }) => !pattern.includes('*')).map((rule) => [rule.pattern, rule])),
    patterns: rules
      .filter(({ pattern }) => pattern.includes('*'))
      .map((rule): HostPattern => {
        const [prefix = '', suffix = ''] = rule.pattern.split('*')
        return { rule, prefix, suffix }
      })
      .sort((a, b) => b.rule.pattern.length - a.rule.pattern.length),
  }
}

/** `name` as `parseHost` gives it. Undefined for a host that nothing covers. */
export function coverHost({ exact, patterns }: HostRules, name: string): CoveredHost | undefined {
  const rule = exact.get(name)
  if (rule) return { rule, star: undefined }
  for (const pattern of patterns) {
    const star = starOf(pattern, name)
    if (star !== undefined) return { rule: pattern.rule, star }
  }
  return undefined
}

function starOf({ rule, prefix, suffix }: HostPattern, name: string): string | undefined {
  if (!name.startsWith(prefix) || !name.endsWith(suffix)) return undefined
  const star = name.slice(prefix.length, name.length - suffix.length)
  // One label only, as in certificates (RFC 6125 §6.4.3): what a wildcard certificate does not cover is not mapped.
  if (name.length <= prefix.length + suffix.length || star.includes('.')) return undefined
  return rule.target.kind === 'host' && !isRepositoryKey(star) ? undefined : star
}
