import type { PermissionTarget } from '../../registry/domain/permission-target.ts'
import type { Action } from '../../registry/domain/permissions.ts'

/** Who asks, in the simplest words. */
export interface Asker {
  readonly name: string | undefined
  readonly admin: boolean
  readonly groups: readonly string[]
  /** Of a token that is good for less than its owner may do. */
  readonly limits?: readonly NaiveLimit[]
}

export interface NaiveLimit {
  readonly repository: string
  readonly pattern: string
  readonly actions: readonly Action[]
}

export interface NaiveSettings {
  readonly anonymousAccess: boolean
  readonly forced: readonly string[]
  readonly kinds: Readonly<Record<string, 'local' | 'remote' | 'virtual'>>
  /** Of each virtual one. */
  readonly virtual?: Readonly<Record<string, { readonly members: readonly string[]; readonly deployTo: string }>>
}

/**
 * The rules of permission targets as one would explain them, written for this alone: one tag at a time, and patterns as regular
 * expressions over the whole path. Nothing of the product is used.
 */
export function naivelyMay(
  asker: Asker,
  action: Action,
  repository: string,
  path: string,
  targets: readonly PermissionTarget[],
  settings: NaiveSettings,
): boolean {
  if (asker.name === undefined && (!settings.anonymousAccess || settings.forced.includes(repository))) return false
  const virtual = settings.virtual?.[repository]
  if (!virtual) return mayThere(asker, action, [repository], path, targets, settings)
  const members = action === 'read' ? virtual.members : [virtual.deployTo]
  return members.some((member) => mayThere(asker, action, [member, repository], path, targets, settings))
}

/** `names`: the repository, and the virtual one that it was asked by. */
function mayThere(
  asker: Asker,
  action: Action,
  names: readonly [string, ...string[]],
  path: string,
  targets: readonly PermissionTarget[],
  settings: NaiveSettings,
): boolean {
  const isLimited = !names.some((name) => asker.limits?.some((limit) => isWithin(limit, action, name, path)))
  if (asker.limits && isLimited) return false
  if (asker.admin) return true
  const [repository] = names
  return targets.some(
    (target) =>
      isAbout(target, repository, settings) &&
      target.includes.some((pattern) => naivelyMatches(pattern, path)) &&
      !target.excludes.some((pattern) => naivelyMatches(pattern, path)) &&
      grants(target, asker, action, settings),
  )
}

export function naivelyMatches(pattern: string, path: string): boolean {
  const whole = pattern.endsWith('/') ? `${pattern}**` : pattern
  const expression = whole
    .split('/')
    .map((segment) => (segment === '**' ? '(?:[^/]+/)*' : `${segmentExpression(segment)}/`))
    .join('')
  return new RegExp(`^${expression}$`).test(`${path}/`)
}

function segmentExpression(segment: string): string {
  return segment.replaceAll('.', '\\.').replaceAll('?', '[^/]').replaceAll('*', '[^/]*')
}

function isWithin(limit: NaiveLimit, action: Action, repository: string, path: string): boolean {
  return (
    (limit.repository === 'ANY' || limit.repository === repository) &&
    limit.actions.includes(action) &&
    naivelyMatches(limit.pattern, path)
  )
}

function isAbout({ repositories }: PermissionTarget, repository: string, { kinds }: NaiveSettings): boolean {
  return repositories.some(
    (word) =>
      word === 'ANY' ||
      word === repository ||
      (word === 'ANY LOCAL' && kinds[repository] === 'local') ||
      (word === 'ANY REMOTE' && kinds[repository] === 'remote'),
  )
}

function grants(target: PermissionTarget, asker: Asker, action: Action, { anonymousAccess }: NaiveSettings): boolean {
  const [users, groups] = [new Map(Object.entries(target.users)), new Map(Object.entries(target.groups))]
  const holders = [
    anonymousAccess ? users.get('anonymous') : undefined,
    users.get(asker.name ?? 'anonymous'),
    ...asker.groups.map((group) => groups.get(group)),
  ]
  return holders.some((actions) => actions?.includes(action))
}

/** What becomes of a request: `unknown` is the answer for what is not there. */
export type Outcome = 'done' | 'refused' | 'unknown'

/** What the rules mean for one who asks about one image, tag by tag. */
export class NaiveView {
  readonly #may: (action: Action, tag: string, targets?: readonly PermissionTarget[]) => boolean
  readonly #targets: readonly PermissionTarget[]
  readonly #tags: readonly string[]

  /** `tags`: those that the image has, and enough others to tell "all" from "some". */
  constructor(
    asker: Asker,
    place: { readonly repository: string; readonly image: string; readonly tags: readonly string[] },
    targets: readonly PermissionTarget[],
    settings: NaiveSettings,
  ) {
    const { repository, image, tags } = place
    this.#tags = tags
    this.#targets = targets
    this.#may = (action, tag, of = targets) => naivelyMay(asker, action, repository, `${image}/${tag}`, of, settings)
  }

  may(tag: string, ...actions: readonly Action[]): boolean {
    return actions.every((action) => this.#may(action, tag))
  }

  some(action: Action): boolean {
    return this.#tags.some((tag) => this.#may(action, tag))
  }

  /** By one target: two that only together leave out no tag are about tags. */
  all(action: Action): boolean {
    return [undefined, ...this.#targets].some((target) =>
      this.#tags.every((tag) => this.#may(action, tag, target ? [target] : [])),
    )
  }

  /** With what several tags, or none, lead to; by the first of the actions that one may do with any tag. */
  byDigest(holders: readonly string[], ...anyOf: readonly Action[]): Outcome {
    const action = anyOf.find((action) => this.some(action))
    if (action === undefined) return 'refused'
    return holders.some((tag) => this.#may(action, tag)) || this.all(action) ? 'done' : 'unknown'
  }

  /** Of the image's own tags. */
  listed(own: readonly string[]): readonly string[] | 'refused' | 'unknown' {
    if (!this.some('read')) return 'refused'
    const readable = own.filter((tag) => this.#may('read', tag))
    return readable.length > 0 ? readable : 'unknown'
  }
}
