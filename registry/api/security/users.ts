import { RegistryError } from '../../domain/errors.ts'
import { checkName } from '../../domain/user-name.ts'
import type { Context } from '../../http/context.ts'
import type { Services } from '../../http/services.ts'
import type { Login } from '../../identity/authenticate.ts'
import type { Outcome, UserRecord } from '../../storage/access-store.ts'
import { readJson } from '../read-fields.ts'
import { isAdmin, refuse, requireAdmin, requireInPerson, requireLogin } from '../require.ts'
import { answerList, answerPut, answerText, checkSameName, unknown } from './answer.ts'
import { recordChange } from './record-change.ts'
import { changeOf, describeUser, newUser, userForm, type UserForm } from './user-form.ts'

/** Artifactory's "Get Users". */
export async function listUsers(ctx: Context, services: Services): Promise<void> {
  await requireAdmin(ctx, services)
  const users = await services.administration.listUsers()
  answerList(
    ctx,
    services,
    'security/users',
    users.map(({ name, realm }) => ({ name, realm })),
  )
}

/** "Get User Details": of anybody by an admin, of itself by everybody. */
export async function getUser(ctx: Context, services: Services, name: string): Promise<void> {
  const login = await requireLogin(ctx, services)
  if (name !== login.principal.name && !isAdmin(login))
    refuse(ctx, services, login, `${login.principal.name} is no admin`)
  ctx.body = describeUser(await findUser(services, name), await services.administration.groupsOf(name))
  ctx.status = 200
}

/**
 * "Create or Replace User": what is left out is as for a new user, except for the password, which nobody could read to send it again.
 * A user of another realm can be put into groups alone.
 */
export async function putUser(ctx: Context, services: Services, name: string): Promise<void> {
  const login = await requireAdmin(ctx, services)
  checkName('user', name)
  const form = await readJson(ctx, userForm)
  checkSameName(name, form.name)
  const known = await services.administration.findUser(name)
  if (known) await replace(services, known, form)
  else await create(services, name, form)
  recordChange(ctx, services, login, userChange(name, known ? 'changed' : 'created', form))
  answerPut(ctx, !known)
}

async function create({ administration }: Services, name: string, form: UserForm): Promise<void> {
  if (!(await administration.addUser(await newUser(name, form), form.groups)))
    throw new RegistryError('CONFLICT', { message: `there is a user ${name} by now` })
  // Exactly these, as if it were put once more.
  if (form.groups) await administration.setGroupsOf(name, form.groups)
}

async function replace(services: Services, known: UserRecord, form: UserForm): Promise<void> {
  const usual = known.realm === 'internal' ? { admin: false, email: '' } : {}
  await change(services, known, { ...usual, ...form, groups: form.groups ?? (await groupsToJoin(services)) })
}

async function groupsToJoin({ administration }: Services): Promise<string[]> {
  return (await administration.listGroups()).filter(({ autoJoin }) => autoJoin).map(({ name }) => name)
}

/** "Update User": of anybody by an admin; who has its password here changes that, and its email, itself. */
export async function updateUser(ctx: Context, services: Services, name: string): Promise<void> {
  const login = await requireInPerson(ctx, services)
  if (!isAdmin(login) && name !== login.principal.name)
    refuse(ctx, services, login, `${login.principal.name} is no admin`)
  const form = await readJson(ctx, userForm)
  checkSameName(name, form.name)
  if (!isAdmin(login)) checkOwnFields(ctx, services, login, form)
  await change(services, await findUser(services, name), form)
  recordChange(ctx, services, login, userChange(name, 'changed', form))
  answerPut(ctx, false)
}

function checkOwnFields(ctx: Context, services: Services, login: Login, form: UserForm): void {
  const own: readonly string[] = ['name', 'email', 'password']
  const other = Object.keys(form).find((field) => !own.includes(field))
  if (other !== undefined) refuse(ctx, services, login, `only an admin may change ${other}`)
}

async function change({ administration }: Services, user: UserRecord, form: UserForm): Promise<void> {
  const changed = await changeOf(user, form)
  // Those that its realm says it is in are not ours to keep.
  const groups = form.groups?.filter((group) => !user.realmGroups.includes(group))
  checkOutcome(user.name, await administration.changeUser(user.name, { ...changed, ...(groups && { groups }) }))
}

/** "Delete User". */
export async function deleteUser(ctx: Context, services: Services, name: string): Promise<void> {
  const login = await requireAdmin(ctx, services)
  checkOutcome(name, await services.administration.removeUser(name))
  recordChange(ctx, services, login, { subject: `user ${name}`, action: 'deleted' })
  answerText(ctx, `User '${name}' has been removed successfully.`)
}

async function findUser({ administration }: Services, name: string): Promise<UserRecord> {
  const user = await administration.findUser(name)
  if (user) return user
  throw unknown(`user ${name}`)
}

function checkOutcome(name: string, outcome: Outcome): void {
  switch (outcome) {
    case 'done':
      return
    case 'unknown':
      throw unknown(`user ${name}`)
    case 'last admin':
      throw new RegistryError('CONFLICT', { message: `${name} is the last admin; make another one first` })
  }
}

function userChange(name: string, action: 'created' | 'changed', form: UserForm) {
  return { subject: `user ${name}`, action, fields: Object.keys(form).filter((field) => field !== 'name') }
}
