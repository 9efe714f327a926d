import { z } from 'zod'
import { isEmail } from '../../domain/email.ts'
import { RegistryError } from '../../domain/errors.ts'
import { checkNewPassword, hashPassword } from '../../identity/passwords.ts'
import type { UserChange, UserRecord } from '../../storage/access-store.ts'

const never = z.literal(false, 'expected false: this is not supported here').optional()

/**
 * Artifactory's fields of a user. What it tells it also takes back, so that a script may change one field of an answer and send it whole:
 * `uri`, `lastLoggedIn`, and the realm that the user is of. `disableUIAccess` means nothing here and is always told as false;
 * `profileUpdatable` follows from the rest: who has a password here may change it.
 */
export const userForm = z.strictObject({
  name: z.string().optional(),
  email: z
    .string()
    .refine((text) => text === '' || isEmail(text), 'expected an address like alice@company.com, or nothing')
    .optional(),
  password: z.string().optional(),
  admin: z.boolean().optional(),
  groups: z.array(z.string()).optional(),
  internalPasswordDisabled: z.boolean().optional(),
  profileUpdatable: z.boolean().optional(),
  disableUIAccess: z.boolean().optional(),
  realm: z.string().optional(),
  lastLoggedIn: z.string().optional(),
  uri: z.string().optional(),
  watchManager: never,
  policyManager: never,
  policyViewer: never,
  reportsManager: never,
})
export type UserForm = z.output<typeof userForm>

export function describeUser(user: UserRecord, groups: readonly string[]) {
  return {
    name: user.name,
    email: user.email,
    admin: user.admin,
    profileUpdatable: hasPasswordHere(user),
    disableUIAccess: false,
    internalPasswordDisabled: user.passwordHash === undefined,
    groups: [...new Set([...groups, ...user.realmGroups])].sort(),
    realm: user.realm,
    lastLoggedIn: user.lastLogin?.toISOString(),
  }
}

/** Throws BAD_REQUEST. `internalPasswordDisabled` without a password makes a robot. */
export async function newUser(name: string, form: UserForm): Promise<UserRecord> {
  checkForm(form, 'internal')
  const isRobot = form.internalPasswordDisabled === true
  if (!isRobot && form.password === undefined)
    throw badRequest('password: missing; with "internalPasswordDisabled": true it is a robot, which has tokens alone')
  return {
    name,
    kind: isRobot ? 'robot' : 'user',
    realm: 'internal',
    passwordHash: await hashOf(form),
    admin: form.admin ?? false,
    email: emailOf(form),
    realmGroups: [],
    lastLogin: undefined,
  }
}

/** What the form says of the user that is not so already. Throws BAD_REQUEST. */
export async function changeOf(user: UserRecord, form: UserForm): Promise<UserChange> {
  checkForm(form, user.realm)
  const passwordHash = await hashOf(form)
  const hasPassword = passwordHash !== undefined || user.passwordHash !== undefined
  if (form.internalPasswordDisabled === false && !hasPassword && user.realm === 'internal')
    throw badRequest(`password: missing; ${user.name} has none, which internalPasswordDisabled says too`)
  const becomesUser = form.internalPasswordDisabled === false && user.kind === 'robot'
  const becomesRobot = form.internalPasswordDisabled === true && hasPasswordHere(user)
  return {
    ...(passwordHash !== undefined && { passwordHash }),
    ...(becomesUser && { kind: 'user' }),
    ...(becomesRobot && { kind: 'robot', passwordHash: undefined }),
    ...(form.admin !== undefined && form.admin !== user.admin && { admin: form.admin }),
    ...(form.email !== undefined && emailOf(form) !== user.email && { email: emailOf(form) }),
  }
}

function hasPasswordHere({ realm, kind }: UserRecord): boolean {
  return realm === 'internal' && kind === 'user'
}

function checkForm(form: UserForm, realm: string): void {
  const { password, internalPasswordDisabled } = form
  if (form.realm !== undefined && form.realm !== realm) throw badRequest(`realm: expected ${realm}, or nothing`)
  if (password !== undefined && internalPasswordDisabled === true)
    throw badRequest('expected a password, or "internalPasswordDisabled": true')
  if (form.profileUpdatable === false && password !== undefined)
    throw badRequest('profileUpdatable: who has a password here may change it; expected true')
}

async function hashOf({ password }: UserForm): Promise<string | undefined> {
  if (password === undefined) return undefined
  checkNewPassword(password)
  return await hashPassword(password)
}

function emailOf({ email }: UserForm): string | undefined {
  return email === '' ? undefined : email
}

function badRequest(message: string): RegistryError {
  return new RegistryError('BAD_REQUEST', { message })
}
