import { RegistryError } from '../../domain/errors.ts'
import {
  problemWithPattern,
  unknownRepository,
  type Grants,
  type PermissionTarget,
} from '../../domain/permission-target.ts'
import { anonymousName, type Action, type UserPrincipal } from '../../domain/permissions.ts'
import { checkName, userNameForm, isUserName } from '../../domain/user-name.ts'
import type { Context } from '../../http/context.ts'
import type { Services } from '../../http/services.ts'
import type { Login } from '../../identity/authenticate.ts'
import { isAdmin, isInPerson, refuse, requireAdmin, requireLogin } from '../require.ts'
import { answerList, answerPut, answerText, unknown } from './answer.ts'
import { recordChange } from './record-change.ts'

/** What both versions of the API do: they differ in how they write a target. `path`: below which they tell of one. */
export async function listTargets(ctx: Context, services: Services, path: string): Promise<void> {
  await requireAdmin(ctx, services)
  const targets = await services.administration.listTargets()
  answerList(
    ctx,
    services,
    path,
    targets.map(({ name }) => ({ name })),
  )
}

/** For an admin, and for those who manage the target. */
export async function findTarget(ctx: Context, services: Services, name: string): Promise<PermissionTarget> {
  const { target } = await requireManager(ctx, services, name)
  if (target) return target
  throw unknown(`permission target ${name}`)
}

/** Makes or replaces it. Who manages the target says who may do what there; what it is about, an admin alone. */
export async function putTarget(
  ctx: Context,
  services: Services,
  name: string,
  read: () => Promise<PermissionTarget>,
): Promise<void> {
  const { login, target: known } = await requireManager(ctx, services, name)
  const wanted = await read()
  checkHolders(wanted)
  if (isAdmin(login)) await putAny(services, wanted)
  else await putOnlyGrants(ctx, services, login, known, wanted)
  recordChange(ctx, services, login, { subject: `permission ${name}`, action: known ? 'changed' : 'created' })
  answerPut(ctx, !known)
}

/** Throws CONFLICT when there is one. */
export async function createTarget(
  ctx: Context,
  services: Services,
  name: string,
  read: () => Promise<PermissionTarget>,
): Promise<void> {
  const login = await requireAdmin(ctx, services)
  const wanted = await read()
  checkHolders(wanted)
  if (await services.administration.findTarget(name))
    throw new RegistryError('CONFLICT', { message: `there is a permission target ${name} already` })
  await putAny(services, wanted)
  recordChange(ctx, services, login, { subject: `permission ${name}`, action: 'created' })
  answerPut(ctx, true)
}

export async function deleteTarget(ctx: Context, services: Services, name: string): Promise<void> {
  const login = await requireAdmin(ctx, services)
  if (!(await services.administration.removeTarget(name))) throw unknown(`permission target ${name}`)
  recordChange(ctx, services, login, { subject: `permission ${name}`, action: 'deleted' })
  answerText(ctx, `Permission Target '${name}' has been removed successfully.`)
}

interface Managed {
  readonly login: Login
  /** Undefined, for an admin alone: there is none. */
  readonly target: PermissionTarget | undefined
}

/** Others are refused alike whether there is such a target or not. What they grant outlives a token, so they must be there in person. */
async function requireManager(ctx: Context, services: Services, name: string): Promise<Managed> {
  const login = await requireLogin(ctx, services)
  const target = await services.administration.findTarget(name)
  if (isAdmin(login)) return { login, target }
  if (target && manages(login.principal, target) && isInPerson(login)) return { login, target }
  return refuse(ctx, services, login, `${login.principal.name} is no admin and does not manage ${name}`)
}

function manages({ name, groups }: UserPrincipal, target: PermissionTarget): boolean {
  const holds = (grants: Grants, holder: string) => Object.hasOwn(grants, holder) && grants[holder]?.includes('manage')
  return holds(target.users, name) === true || groups.some((group) => holds(target.groups, group))
}

async function putAny({ administration, config }: Services, wanted: PermissionTarget): Promise<void> {
  checkName('permission target', wanted.name)
  const problem =
    unknownRepository(wanted.repositories, Object.keys(config.repositories)) ??
    [...wanted.includes, ...wanted.excludes].map(problemWithPattern).find((problem) => problem !== undefined)
  if (problem !== undefined) throw new RegistryError('BAD_REQUEST', { message: problem })
  await administration.putTarget(wanted)
}

/** The store leaves the rest as it is then, also when an admin changes that meanwhile. */
async function putOnlyGrants(
  ctx: Context,
  services: Services,
  login: Login,
  known: PermissionTarget | undefined,
  wanted: PermissionTarget,
): Promise<void> {
  const same = (part: 'repositories' | 'includes' | 'excludes') =>
    known && known[part].toSorted().join('\n') === wanted[part].toSorted().join('\n')
  if (!same('repositories') || !same('includes') || !same('excludes'))
    refuse(ctx, services, login, 'only an admin may change the repositories and patterns of a permission target')
  await services.administration.putGrants(wanted.name, wanted)
}

/** Throws BAD_REQUEST for a name that nobody can have. */
function checkHolders({ users, groups }: PermissionTarget): void {
  const wrong =
    Object.keys(users).find((name) => name !== anonymousName && !isUserName(name)) ??
    Object.keys(groups).find((name) => !isUserName(name))
  if (wrong === undefined) return
  throw new RegistryError('BAD_REQUEST', { message: `"${wrong}" is the name of nobody: expected ${userNameForm}` })
}

/** The actions by their words in `vocabulary`, by who has them. Throws BAD_REQUEST for another word. Who has none is left out. */
export function readGrants(
  said: Readonly<Record<string, readonly string[]>>,
  vocabulary: ReadonlyMap<string, Action>,
): Grants {
  const read = Object.entries(said).map(([name, words]) => {
    const actions = words.map((word) => {
      const action = vocabulary.get(word)
      if (action !== undefined) return action
      const known = [...vocabulary.keys()].join(', ')
      throw new RegistryError('BAD_REQUEST', { message: `"${word}" for ${name}: expected some of ${known}` })
    })
    return [name, [...new Set(actions)]] as const
  })
  return Object.fromEntries(read.filter(([, actions]) => actions.length > 0))
}

export function writeGrants(grants: Grants, vocabulary: ReadonlyMap<string, Action>) {
  const words = (actions: readonly Action[]) =>
    [...vocabulary].filter(([, action]) => actions.includes(action)).map(([word]) => word)
  return Object.fromEntries(Object.entries(grants).map(([name, actions]) => [name, words(actions)]))
}
