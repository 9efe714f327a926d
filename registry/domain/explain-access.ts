import { compileAccessRules, type AccessSettings } from './access-rules.ts'
import type { ImageRef, Tag } from './names.ts'
import type { Grants, PermissionTarget } from './permission-target.ts'
import { actions, anonymousName, type Action, type Principal } from './permissions.ts'

/** An image, or a tag of it. */
export interface Place extends ImageRef {
  readonly tag: Tag | undefined
}

/** What one target lets somebody do at a place. */
export interface Reason {
  readonly target: string
  readonly grants: readonly { readonly holder: string; readonly actions: readonly Action[] }[]
}

/** How much of the place: `some` are some of the image's tags. */
export type Extent = 'none' | 'some' | 'all'

/** Whether the principal may do it, as the registry would find; for an admin everything, for no reason of a target. */
export function extentAt(
  targets: readonly PermissionTarget[],
  settings: AccessSettings,
  principal: Principal,
  action: Action,
  { repository, image, tag }: Place,
): Extent {
  const tags = compileAccessRules(targets, settings).tagsOf(principal, action, repository, image)
  if (tag === undefined) return tags.extent
  return tags.has(tag) ? 'all' : 'none'
}

/** The targets that let the principal do anything there, to at least some tags, and whom they name for that: `the group devs`. */
export function reasonsAt(
  targets: readonly PermissionTarget[],
  settings: AccessSettings,
  principal: Principal,
  place: Place,
): readonly Reason[] {
  const asked: Principal = principal.kind === 'user' ? { ...principal, admin: false } : principal
  return targets
    .filter((target) => actions.some((action) => extentAt([target], settings, asked, action, place) !== 'none'))
    .map((target) => ({ target: target.name, grants: grantsIn(target, asked, settings) }))
}

function grantsIn({ users, groups }: PermissionTarget, principal: Principal, { anonymousAccess }: AccessSettings) {
  const grant = (holder: string, grants: Grants, name: string) => ({
    holder,
    actions: Object.hasOwn(grants, name) ? (grants[name] ?? []) : [],
  })
  const all = [
    ...(anonymousAccess ? [grant('everybody', users, anonymousName)] : []),
    ...(principal.kind === 'user' ? [grant(`the user ${principal.name}`, users, principal.name)] : []),
    ...(principal.kind === 'user' ? principal.groups.map((group) => grant(`the group ${group}`, groups, group)) : []),
  ]
  return all.filter(({ actions }) => actions.length > 0)
}
