import { compilePatterns, matchesEverything } from './ant-pattern.ts'
import type { ImageName, RepositoryKey } from './names.ts'
import type { PermissionTarget } from './permission-target.ts'
import { anonymousName, type Action, type Limit, type Principal, type UserPrincipal } from './permissions.ts'
import { everyTag, intersection, union, type TagSet } from './tag-set.ts'

export interface AccessSettings {
  readonly anonymousAccess: boolean
  /** Everywhere, nowhere, or the repositories where a login is asked for although anonymous access is on. */
  readonly forceAuthentication: boolean | readonly string[]
  /** Undefined for one that does not exist. */
  kindOf(repository: RepositoryKey): 'local' | 'remote' | 'virtual' | undefined
}

/** What everybody may do. Asking costs microseconds: everything that does not depend on the image is worked out once. */
export interface AccessRules {
  /** The tags of the image that the principal may do this with. Says nothing of whether anything exists. */
  tagsOf(principal: Principal, action: Action, repository: RepositoryKey, image: ImageName): TagSet
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
    if (principal.kind === 'anonymous' && !admitsAnonymous(settings, repository)) return []
    if (principal.kind === 'user' && principal.admin) return [everything]
    return rulesOf(principal).filter((rule) => rule.actions.has(action) && concerns(rule, repository, settings))
  }
  const limitsOf = limitCompiler()

  return {
    tagsOf(principal, action, repository, image) {
      const granted = union(rulesFor(principal, action, repository).map((rule) => rule.tagsOf(image)))
      const limits = limitsOf(principal)
      if (!limits || granted.extent === 'none') return granted
      const relevant = limits.filter((limit) => limit.actions.has(action) && concerns(limit, repository, settings))
      return intersection(granted, union(relevant.map((limit) => limit.tagsOf(image))))
    },
    extentOf(principal, action, repository) {
      const limits = limitsOf(principal)
      return least(
        mostOf(rulesFor(principal, action, repository)),
        limits
          ? mostOf(limits.filter((limit) => limit.actions.has(action) && concerns(limit, repository, settings)))
          : 'all',
      )
    },
  }
}

/** Anonymous is asked to log in where a login is forced, whatever the targets say. `repository`: undefined for any of them. */
export function admitsAnonymous(
  { anonymousAccess, forceAuthentication }: Omit<AccessSettings, 'kindOf'>,
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
  switch (settings.kindOf(key)) {
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

function least(one: TagSet['extent'], other: TagSet['extent']): TagSet['extent'] {
  if (one === 'none' || other === 'none') return 'none'
  return one === 'all' ? other : one
}
