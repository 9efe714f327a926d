import { z } from 'zod'
import { isUserName, userNameForm } from '../domain/user-name.ts'
import { isEmail } from '../domain/email.ts'
import { problemWithPattern, problemWithRepository } from '../domain/permission-target.ts'
import { actions } from '../domain/permissions.ts'
import { secretValue } from './secret-value.ts'

/** Of users, robots, groups and permission targets. */
export const name = z.string().refine(isUserName, `expected a name: ${userNameForm}`)
const anyone = z
  .string()
  .refine((text) => text === 'anonymous' || isUserName(text), 'expected a user name, or anonymous')

function refined(problem: (text: string) => string | undefined) {
  return z.string().superRefine((text, check) => {
    const message = problem(text)
    if (message !== undefined) check.addIssue({ code: 'custom', message })
  })
}

export const antPattern = refined(problemWithPattern)
const grants = z.record(anyone, z.array(z.enum(actions)))

const user = z
  .strictObject({
    password: secretValue
      .optional()
      .describe('Where the password is: { env: NAME } or { file: path }. None for a robot.'),
    robot: z.boolean().default(false).describe('Whether it is a robot: it has tokens and no password.'),
    admin: z.boolean().default(false).describe('Whether it may do everything.'),
    email: z
      .string()
      .refine(isEmail, 'expected an address like alice@company.com')
      .optional()
      .describe('For people, and for the .dockercfg entry.'),
    groups: z.array(name).optional().describe('The groups it is in. Default: those that new users join.'),
  })
  .refine(({ robot, password }) => !robot || password === undefined, {
    error: 'a robot has tokens and no password',
    path: ['password'],
  })

const group = z
  .strictObject({
    description: z.string().default('').describe('For people.'),
    autoJoin: z.boolean().default(false).describe('Whether new users become members.'),
    admins: z.boolean().default(false).describe('Whether its members may do everything.'),
  })
  .refine(({ autoJoin, admins }) => !autoJoin || !admins, {
    error: 'every new user would be an admin: expected either autoJoin or admins',
    path: ['autoJoin'],
  })

const permissionTarget = z.strictObject({
  repositories: z
    .array(refined(problemWithRepository))
    .min(1)
    .describe('Repository keys, or ANY, ANY LOCAL, ANY REMOTE.'),
  includes: z.array(antPattern).default(['**']).describe('Ant patterns over <image>/<tag> that it is about.'),
  excludes: z.array(antPattern).default([]).describe('Ant patterns over <image>/<tag> that it is not about.'),
  users: grants
    .default({})
    .describe('What users may do: read, annotate, deploy, delete, manage. anonymous: everybody.'),
  groups: grants.default({}).describe('What the members of groups may do.'),
})

/** Who may do what, as far as the file says it: what it names can be changed in the file alone. */
export const accessFields = {
  users: z.record(name, user).default({}).describe('Users besides those made by commands or the REST API, by name.'),
  groups: z.record(name, group).default({}).describe('Groups of users, by name.'),
  permissions: z
    .record(name, permissionTarget)
    .optional()
    .describe(
      'Permission targets, by name. Default: none; the first start then makes one that lets everybody read and users push.',
    ),
}

export type UserConfig = z.output<typeof user>
export type AccessConfig = {
  readonly users: Readonly<Record<string, UserConfig>>
  readonly groups: Readonly<Record<string, z.output<typeof group>>>
  readonly permissions?: Readonly<Record<string, z.output<typeof permissionTarget>>> | undefined
}
