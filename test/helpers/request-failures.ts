import type { TestRegistry } from './registry.ts'

/** What the registry has logged of requests that failed without a reason it knew. */
export function requestFailures({ log }: TestRegistry): readonly unknown[] {
  return log.filter(({ msg }) => msg === 'request failed' || msg === 'answer failed half-way')
}
