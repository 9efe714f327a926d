import type { PermissionTarget } from '../../registry/domain/permission-target.ts'
import type { Action } from '../../registry/domain/permissions.ts'

/** Who asks, in the simplest words. */
export interface Asker {
  readonly name: string | undefined
  readonly admin: boolean
  readonly groups: readonly string[]
}

export interface NaiveSettings {
  readonly anonymousAccess: boolean
  readonly forced: readonly string[]
  readonly kinds: Readonly<Record<string, 'local' | 'remote' | 'virtual'>>
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
  if (asker.admin) return true
  if (asker.name === undefined && (!settings.anonymousAccess || settings.forced.includes(repository))) return false
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
