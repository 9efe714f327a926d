import { matchesGlob } from './glob.ts'
import type { ImageName } from './names.ts'
import { difference, everyTag, noTag, tagsLike, union, type TagSet } from './tag-set.ts'

/**
 * An Ant pattern over `<image>/<tag>`, as Artifactory has them over paths: `?` is one character and `*` are any within a
 * segment, `**` is any number of segments, a slash at the end stands for `/**`. Upper and lower case differ.
 */
export interface AntPattern {
  /** The tags of the image that match, whether they exist or not. */
  readonly tagsOf: (image: ImageName) => TagSet
}

const maxLength = 512
const form = /^(?:[A-Za-z0-9._*?-]+\/)*[A-Za-z0-9._*?-]+\/?$/

/**
 * What would match nothing is none: characters that are in no image and no tag, one segment where there are always two, upper case in
 * images, which those who end with `/**` mean. As an exclude pattern it would leave in what was meant to be left out.
 */
export function isAntPattern(text: string): boolean {
  if (text.length > maxLength || !form.test(text)) return false
  const segments = text.split('/')
  const ofImage = segments.slice(0, ['', '**'].includes(segments.at(-1) ?? '') ? undefined : -1)
  return (
    (segments.length > 1 || text === '**') &&
    segments.every((segment) => segment === '**' || !segment.includes('**')) &&
    !ofImage.some((segment) => /[A-Z]/.test(segment))
  )
}

/** `text` is one by {@link isAntPattern}. */
export function compileAntPattern(text: string): AntPattern {
  if (matchesEverything(text)) return { tagsOf: () => everyTag }
  const segments = (text.endsWith('/') ? `${text}**` : text).split('/')
  return { tagsOf: (image) => lastSegments(segments, positionsAfter(segments, image.split('/'))) }
}

/** What matches an include and no exclude. */
export function compilePatterns(includes: readonly string[], excludes: readonly string[] = []): AntPattern {
  const [wanted, unwanted] = [includes.map(compileAntPattern), excludes.map(compileAntPattern)]
  const all = (patterns: readonly AntPattern[], image: ImageName) =>
    patterns.length === 0 ? noTag : union(patterns.map((pattern) => pattern.tagsOf(image)))
  return { tagsOf: (image) => difference(all(wanted, image), all(unwanted, image)) }
}

/** Whether there is no image and no tag that does not match. */
export function matchesEverything(pattern: string): boolean {
  return pattern === '**' || pattern === '**/' || pattern === '**/*'
}

/** Where in the pattern one may be when all of `path` has been matched; `**` can be left without taking a segment. */
function positionsAfter(segments: readonly string[], path: readonly string[]): ReadonlySet<number> {
  let here = withSkipped(segments, [0])
  for (const name of path)
    here = withSkipped(
      segments,
      [...here].flatMap((at) => step(segments, at, name)),
    )
  return here
}

function step(segments: readonly string[], at: number, name: string): readonly number[] {
  const segment = segments[at]
  if (segment === undefined) return []
  if (segment === '**') return [at]
  return matchesGlob(segment, name) ? [at + 1] : []
}

function withSkipped(segments: readonly string[], positions: readonly number[]): ReadonlySet<number> {
  const all = new Set<number>()
  for (let at of positions) {
    all.add(at)
    while (segments[at] === '**') all.add(++at)
  }
  return all
}

function lastSegments(segments: readonly string[], positions: ReadonlySet<number>): TagSet {
  const last = [...positions].filter(
    (at) => at < segments.length && segments.slice(at + 1).every((rest) => rest === '**'),
  )
  const globs = last.map((at) => segments[at] ?? '')
  if (globs.some((glob) => glob === '*' || glob === '**')) return everyTag
  return globs.length === 0 ? noTag : tagsLike(globs)
}
