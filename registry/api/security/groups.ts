import { z } from 'zod'
import { checkName, isUserName } from '../../domain/user-name.ts'
import type { Context } from '../../http/context.ts'
import type { Services } from '../../http/services.ts'
import type { GroupRecord } from '../../storage/access-store.ts'
import { readJson } from '../read-fields.ts'
import { requireAdmin } from '../require.ts'
import { answerList, answerPut, answerText, checkSameName, unknown } from './answer.ts'
import { recordChange } from './record-change.ts'

const never = z.literal(false, 'expected false: this is not supported here').optional()

/** Artifactory's fields of a group. What other realms say of their users' groups is told with these users. */
const groupForm = z.strictObject({
  name: z.string().optional(),
  description: z.string().max(1000).optional(),
  autoJoin: z.boolean().optional(),
  adminPrivileges: z.boolean().optional(),
  realm: z.literal('internal', 'expected internal').optional(),
  realmAttributes: z.literal('', 'expected nothing: this is not supported here').optional(),
  userNames: z.array(z.string().refine(isUserName, 'expected the name of a user')).optional(),
  uri: z.string().optional(),
  watchManager: never,
  policyManager: never,
  policyViewer: never,
  reportsManager: never,
})
type GroupForm = z.output<typeof groupForm>

/** Artifactory's "Get Groups". */
export async function listGroups(ctx: Context, services: Services): Promise<void> {
  await requireAdmin(ctx, services)
  const groups = await services.administration.listGroups()
  answerList(
    ctx,
    services,
    'security/groups',
    groups.map(({ name }) => ({ name })),
  )
}

/** "Get Group Details", with its members when `includeUsers=true`. */
export async function getGroup(ctx: Context, services: Services, name: string): Promise<void> {
  await requireAdmin(ctx, services)
  const { description, autoJoin, admins } = await findGroup(services, name)
  const withUsers = new URLSearchParams(ctx.state.target.query).get('includeUsers') === 'true'
  ctx.body = {
    name,
    description,
    autoJoin,
    adminPrivileges: admins,
    realm: 'internal',
    ...(withUsers && { userNames: await services.administration.membersOf(name) }),
  }
  ctx.status = 200
}

/** "Create or Replace Group". Its members stay unless `userNames` says who they are. */
export async function putGroup(ctx: Context, services: Services, name: string): Promise<void> {
  const login = await requireAdmin(ctx, services)
  checkName('group', name)
  const form = await readJson(ctx, groupForm)
  checkSameName(name, form.name)
  const blank = { name, description: '', autoJoin: false, admins: false }
  const isNew = await services.administration.putGroup(groupOf(blank, form), form.userNames)
  recordChange(ctx, services, login, groupChange(name, isNew ? 'created' : 'changed', form))
  answerPut(ctx, isNew)
}

/** "Update Group". */
export async function updateGroup(ctx: Context, services: Services, name: string): Promise<void> {
  const login = await requireAdmin(ctx, services)
  const form = await readJson(ctx, groupForm)
  checkSameName(name, form.name)
  await services.administration.putGroup(groupOf(await findGroup(services, name), form), form.userNames)
  recordChange(ctx, services, login, groupChange(name, 'changed', form))
  answerPut(ctx, false)
}

/** "Delete Group". */
export async function deleteGroup(ctx: Context, services: Services, name: string): Promise<void> {
  const login = await requireAdmin(ctx, services)
  if (!(await services.administration.removeGroup(name))) throw unknown(`group ${name}`)
  recordChange(ctx, services, login, { subject: `group ${name}`, action: 'deleted' })
  answerText(ctx, `Group '${name}' has been removed successfully.`)
}

async function findGroup({ administration }: Services, name: string): Promise<GroupRecord> {
  const group = await administration.findGroup(name)
  if (group) return group
  throw unknown(`group ${name}`)
}

function groupOf(group: GroupRecord, form: GroupForm): GroupRecord {
  return {
    name: group.name,
    description: form.description ?? group.description,
    autoJoin: form.autoJoin ?? group.autoJoin,
    admins: form.adminPrivileges ?? group.admins,
  }
}

function groupChange(name: string, action: 'created' | 'changed', form: GroupForm) {
  return { subject: `group ${name}`, action, fields: Object.keys(form).filter((field) => field !== 'name') }
}
