import { z } from 'zod'
import type { PermissionTarget } from '../../domain/permission-target.ts'
import type { Action } from '../../domain/permissions.ts'
import type { Context } from '../../http/context.ts'
import type { Services } from '../../http/services.ts'
import { readJson } from '../read-fields.ts'
import { checkSameName } from './answer.ts'
import { findTarget, putTarget, readGrants, writeGrants } from './permission-targets.ts'

/** Artifactory's letters, in its order. */
const letters: ReadonlyMap<string, Action> = new Map([
  ['r', 'read'],
  ['w', 'deploy'],
  ['n', 'annotate'],
  ['d', 'delete'],
  ['m', 'manage'],
])

const grants = z.record(z.string(), z.array(z.string())).nullish()

const targetForm = z.strictObject({
  name: z.string().optional(),
  uri: z.string().optional(),
  includesPattern: z.string().min(1, 'expected patterns with commas between them, ** for everything').default('**'),
  excludesPattern: z.string().default(''),
  repositories: z.array(z.string()).min(1, 'expected at least one repository, or ANY'),
  principals: z.strictObject({ users: grants, groups: grants }).optional(),
})

/** Artifactory's "Get Permission Target Details". */
export async function getPermissionV1(ctx: Context, services: Services, name: string): Promise<void> {
  const target = await findTarget(ctx, services, name)
  ctx.status = 200
  ctx.body = {
    name: target.name,
    includesPattern: target.includes.join(','),
    excludesPattern: target.excludes.join(','),
    repositories: target.repositories,
    principals: { users: writeGrants(target.users, letters), groups: writeGrants(target.groups, letters) },
  }
}

/** "Create or Replace Permission Target". */
export async function putPermissionV1(ctx: Context, services: Services, name: string): Promise<void> {
  await putTarget(ctx, services, name, () => readTarget(ctx, name))
}

async function readTarget(ctx: Context, name: string): Promise<PermissionTarget> {
  const { name: said, includesPattern, excludesPattern, repositories, principals } = await readJson(ctx, targetForm)
  checkSameName(name, said)
  return {
    name,
    repositories,
    includes: patternsIn(includesPattern),
    excludes: patternsIn(excludesPattern),
    users: readGrants(principals?.users ?? {}, letters),
    groups: readGrants(principals?.groups ?? {}, letters),
  }
}

function patternsIn(text: string): readonly string[] {
  return text === '' ? [] : text.split(',').map((pattern) => pattern.trim())
}
