import { readFile } from 'node:fs/promises'

/** A source file of the product, with one thing said otherwise. */
export interface Mutation {
  /** Path in this project: `registry/jobs/collector.ts`. */
  readonly file: string
  /** Stands in it exactly once. */
  readonly find: string
  readonly replace: string
}

export const root = new URL('../../', import.meta.url)
export const mutationVariable = 'CAISSON_TEST_MUTATION'

/**
 * Environment in which Node, and every Node that it starts, runs the product with this mutation; nothing changes on the disk:
 *
 *     await startCaisson({ env: await mutated({ file: 'registry/jobs/collector.ts', find: '…', replace: '…' }) })
 *     await attempt('node', ['--test', file], { env: await mutated(mutation) })
 *
 * Rejects when the text is not there exactly once. What the changed source must still be is TypeScript whose types can be stripped.
 */
export async function mutated(mutation: Mutation): Promise<Readonly<Record<string, string>>> {
  mutate(await readFile(new URL(mutation.file, root), 'utf8'), mutation)
  const preload = new URL('mutation-preload.ts', import.meta.url)
  return { NODE_OPTIONS: `--import=${preload.href}`, [mutationVariable]: JSON.stringify(mutation) }
}

export function mutate(source: string, { file, find, replace }: Mutation): string {
  const [before, after, ...more] = source.split(find)
  if (before === undefined || after === undefined || more.length > 0)
    throw new Error(`expected exactly once in ${file}, not ${more.length === 0 ? 'never' : 'more often'}: ${find}`)
  return before + replace + after
}
