import { matchesGlob } from './glob.ts'

/** Tags of one image that something is said of. They need not exist. */
export interface TagSet {
  /** With `some`, it depends on the tag. */
  readonly extent: 'none' | 'some' | 'all'
  has(tag: string): boolean
}

export const everyTag: TagSet = { extent: 'all', has: () => true }
export const noTag: TagSet = { extent: 'none', has: () => false }

export function tagsLike(globs: readonly string[]): TagSet {
  return some((tag) => globs.some((glob) => matchesGlob(glob, tag)))
}

export function union(sets: readonly TagSet[]): TagSet {
  if (sets.some(({ extent }) => extent === 'all')) return everyTag
  const partial = sets.filter(({ extent }) => extent === 'some')
  const [first, second] = partial
  if (!first) return noTag
  return second ? some((tag) => partial.some((set) => set.has(tag))) : first
}

export function intersection(one: TagSet, other: TagSet): TagSet {
  if (one.extent === 'none' || other.extent === 'none') return noTag
  if (one.extent === 'all') return other
  if (other.extent === 'all') return one
  return some((tag) => one.has(tag) && other.has(tag))
}

export function difference(from: TagSet, without: TagSet): TagSet {
  if (from.extent === 'none' || without.extent === 'all') return noTag
  if (without.extent === 'none') return from
  return some((tag) => from.has(tag) && !without.has(tag))
}

function some(has: (tag: string) => boolean): TagSet {
  return { extent: 'some', has }
}
