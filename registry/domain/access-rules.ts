import { compilePatterns, matchesEverything } from './ant-pattern.ts'
import type { ImageName, RepositoryKey } from './names.ts'
import type { PermissionTarget } from './permission-target.ts'
import { anonymousName, type Action, type Limit, type Principal, type UserPrincipal } from './permissions.ts'
import { everyTag, intersection, noTag, union, type TagSet } from './tag-set.ts'

export interface AccessSettings {
  readonly anonymousAccess: boolean
  /** Everywhere, nowhere, or the repositories where a login is asked for although anonymous access is on. */
  readonly forceAuthentication: boolean | readonly string[]
  /** Undefined for one that does not exist. */
  placeOf(repository: RepositoryKey): RepositoryPlace | undefined
}

/** What of a repository matters to who may do what. */
export type RepositoryPlace =
  | { readonly kind: 'local' }
  /** `nameOf` gives the one name that the image has there, of several that clients have for it. */
  | { readonly kind: 'remote'; nameOf(image: ImageName): ImageName }
  /** What it shows are its members' images; what is changed is changed in `deployTo`. */
  | {
      readonly kind: 'virtual'
      readonly members: readonly RepositoryKey[]
      readonly deployTo: RepositoryKey | undefined
    }

/** What everybody may do. Asking costs microseconds: everything that does not depend on the image is worked out once. */
export interface AccessRules {
  /**
   * The tags of the image that the principal may do this with. Says nothing of whether anything exists. Of a virtual repository, those of
   * its members. `through`: the virtual repositories that it came to this one by; a limit to one of these is one to what is reached by it.
   */
  tagsOf(
    principal: Principal,
    action: Action,
    repository: RepositoryKey,
    image: ImageName,
    through?: readonly RepositoryKey[],
  ): TagSet
  /** How much of the repository: every image and tag, some, or nothing. */
  extentOf(principal: Principal, action: Action, repository: RepositoryKey): TagSet['extent']
}

export function compileAccessRules(targets: readonly PermissionTarget[], settings: AccessSettings): AccessRules {
  const compiled = targets.map(compileTarget)
  const known = new WeakMap<Principal, readonly Rule[]>()

  /** A principal is asked for many times, and is another object when something about it has changed. */
  const rulesOf = (principal: Principal): readonly Rule[] => {
    let rules = known.get(principal)
    if (!rules) known.set(principal, (rules = compiled.flatMap((target) => grantedBy(target, principal, settings))))
    return rules
  }
  const rulesFor = (principal: Principal, action: Action, repository: RepositoryKey): readonly Rule[] => {
    if (principal.kind === 'user' && principal.admin) return [everything]
    return rulesOf(principal).filter((rule) => rule.actions.has(action) && concerns(rule, repository, settings))
  }
  const limitsOf = limitCompiler()
  /** Undefined: not limited. */
  const limitsFor = (principal: Principal, action: Action, repositories: readonly RepositoryKey[]) =>
    limitsOf(principal)?.filter(
      (limit) => limit.actions.has(action) && repositories.some((key) => concerns(limit, key, settings)),
    )

  const tagsIn: AccessRules['tagsOf'] = (principal, action, repository, image, through = []) => {
    const place = settings.placeOf(repository)
    const by = [...through, repository]
    const members = membersFor(place, action, by)
    if (members) return union(members.map((key) => tagsIn(principal, action, key, image, by)))
    const name = place?.kind === 'remote' ? place.nameOf(image) : image
    const granted = union(rulesFor(principal, action, repository).map((rule) => rule.tagsOf(name)))
    const limits = limitsFor(principal, action, by)
    if (!limits || granted.extent === 'none') return granted
    return intersection(granted, union(limits.map((limit) => limit.tagsOf(name))))
  }
  const extentIn = (
    principal: Principal,
    action: Action,
    repository: RepositoryKey,
    through: readonly RepositoryKey[],
  ): TagSet['extent'] => {
    const by = [...through, repository]
    const members = membersFor(settings.placeOf(repository), action, by)
    if (members) return greatest(members.map((key) => extentIn(principal, action, key, by)))
    const limits = limitsFor(principal, action, by)
    return least(mostOf(rulesFor(principal, action, repository)), limits ? mostOf(limits) : 'all')
  }

  // A login that is forced is forced for what the client asks, and not for what that leads to.
  const isShutOut = (principal: Principal, asked: RepositoryKey) =>
    principal.kind === 'anonymous' && !admitsAnonymous(settings, asked)
  return {
    tagsOf: (principal, action, repository, image, through = []) =>
      isShutOut(principal, through[0] ?? repository) ? noTag : tagsIn(principal, action, repository, image, through),
    extentOf: (principal, action, repository) =>
      isShutOut(principal, repository) ? 'none' : extentIn(principal, action, repository, []),
  }
}

/**
 * The members that say who may do this; undefined where the repository itself does, also a virtual one in which nothing can be changed.
 * Without those that it came by, should one lead back to itself.
 */
function membersFor(
  place: RepositoryPlace | undefined,
  action: Action,
  by: readonly RepositoryKey[],
): readonly RepositoryKey[] | undefined {
  if (place?.kind !== 'virtual') return undefined
  if (action === 'read') return place.members.filter((key) => !by.includes(key))
  return place.deployTo === undefined ? undefined : [place.deployTo].filter((key) => !by.includes(key))
}

/** Anonymous is asked to log in where a login is forced, whatever the targets say. `repository`: undefined for any of them. */
export function admitsAnonymous(
  { anonymousAccess, forceAuthentication }: Omit<AccessSettings, 'placeOf'>,
  repository: string | undefined,
): boolean {
  if (!anonymousAccess) return false
  if (typeof forceAuthentication === 'boolean') return !forceAuthentication
  return repository === undefined || !forceAuthentication.includes(repository)
}

interface Rule {
  readonly repositories: ReadonlySet<string>
  readonly actions: ReadonlySet<Action>
  /** Whether it leaves out no image and no tag of its repositories. */
  readonly everywhere: boolean
  readonly tagsOf: (image: ImageName) => TagSet
}

const everything: Rule = {
  repositories: new Set(['ANY']),
  actions: new Set(),
  everywhere: true,
  tagsOf: () => everyTag,
}

interface CompiledTarget extends PermissionTarget {
  readonly place: Pick<Rule, 'repositories' | 'everywhere' | 'tagsOf'>
}

function compileTarget(target: PermissionTarget): CompiledTarget {
  const { repositories, includes, excludes } = target
  const patterns = compilePatterns(includes, excludes)
  const everywhere = excludes.length === 0 && includes.some(matchesEverything)
  return { ...target, place: { repositories: new Set(repositories), everywhere, tagsOf: patterns.tagsOf } }
}

/** Who has logged in may also do what everybody may. */
function grantedBy(target: CompiledTarget, principal: Principal, { anonymousAccess }: AccessSettings): readonly Rule[] {
  const granted = new Set<Action>()
  const add = (more: readonly Action[] = []) => more.forEach((action) => granted.add(action))
  if (anonymousAccess) add(ownEntry(target.users, anonymousName))
  if (principal.kind === 'user') {
    if (principal.rights !== 'of groups') add(ownEntry(target.users, principal.name))
    for (const group of principal.groups) add(ownEntry(target.groups, group))
  }
  return granted.size > 0 ? [{ ...target.place, actions: granted }] : []
}

/** A user may be called `constructor`. */
function ownEntry<value>(record: Readonly<Record<string, value>>, name: string): value | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined
}

function limitCompiler(): (principal: Principal) => readonly Rule[] | undefined {
  const known = new WeakMap<UserPrincipal, readonly Rule[]>()
  return (principal) => {
    if (principal.kind === 'anonymous' || !principal.limits) return undefined
    let rules = known.get(principal)
    if (!rules) known.set(principal, (rules = principal.limits.map(compileLimit)))
    return rules
  }
}

function compileLimit({ repository, pattern, actions }: Limit): Rule {
  const { tagsOf } = compilePatterns([pattern])
  return {
    repositories: new Set([repository]),
    actions: new Set(actions),
    everywhere: matchesEverything(pattern),
    tagsOf,
  }
}

function concerns({ repositories }: Rule, key: RepositoryKey, settings: AccessSettings): boolean {
  if (repositories.has('ANY') || repositories.has(key)) return true
  switch (settings.placeOf(key)?.kind) {
    case 'local':
      return repositories.has('ANY LOCAL')
    case 'remote':
      return repositories.has('ANY REMOTE')
    case 'virtual':
    case undefined:
      return false
  }
}

function mostOf(rules: readonly Rule[]): TagSet['extent'] {
  if (rules.some(({ everywhere }) => everywhere)) return 'all'
  return rules.length > 0 ? 'some' : 'none'
}

function greatest(extents: readonly TagSet['extent'][]): TagSet['extent'] {
  if (extents.includes('all')) return 'all'
  return extents.includes('some') ? 'some' : 'none'
}

function least(one: TagSet['extent'], other: TagSet['extent']): TagSet['extent'] {
  if (one === 'none' || other === 'none') return 'none'
  return one === 'all' ? other : one
}
