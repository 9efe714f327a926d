import { z } from 'zod'
import type { PermissionTarget } from '../../domain/permission-target.ts'
import type { Action } from '../../domain/permissions.ts'
import type { Context } from '../../http/context.ts'
import type { Services } from '../../http/services.ts'
import { readJson } from '../read-fields.ts'
import { checkSameName } from './answer.ts'
import { createTarget, findTarget, putTarget, readGrants, writeGrants } from './permission-targets.ts'

/** Artifactory's words; `managedXrayMeta` and `distribute` are about products that are not here. */
const words: ReadonlyMap<string, Action> = new Map([
  ['read', 'read'],
  ['write', 'deploy'],
  ['annotate', 'annotate'],
  ['delete', 'delete'],
  ['manage', 'manage'],
])

const grants = z.record(z.string(), z.array(z.string())).nullish()
const patterns = z.array(z.string())
/** Artifactory tells these of every target. */
const nothing = z.unknown().refine(isNothing, 'expected nothing: builds and release bundles are not supported here')

const targetForm = z.strictObject({
  name: z.string().optional(),
  uri: z.string().optional(),
  repo: z.strictObject({
    'include-patterns': patterns.min(1, 'expected at least one pattern, ** for everything').default(['**']),
    'exclude-patterns': patterns.default([]),
    repositories: z.array(z.string()).min(1, 'expected at least one repository, or ANY'),
    actions: z.strictObject({ users: grants, groups: grants }).nullish(),
  }),
  build: nothing.optional(),
  releaseBundle: nothing.optional(),
})

/** Artifactory's "Get Permission Target Details", version 2. */
export async function getPermissionV2(ctx: Context, services: Services, name: string): Promise<void> {
  const target = await findTarget(ctx, services, name)
  ctx.status = 200
  ctx.body = {
    name: target.name,
    repo: {
      'include-patterns': target.includes,
      'exclude-patterns': target.excludes,
      repositories: target.repositories,
      actions: { users: writeGrants(target.users, words), groups: writeGrants(target.groups, words) },
    },
  }
}

/** "Create Permission Target". */
export async function createPermissionV2(ctx: Context, services: Services, name: string): Promise<void> {
  await createTarget(ctx, services, name, () => readTarget(ctx, name))
}

/** "Update Permission Target": as a whole. */
export async function putPermissionV2(ctx: Context, services: Services, name: string): Promise<void> {
  await putTarget(ctx, services, name, () => readTarget(ctx, name))
}

async function readTarget(ctx: Context, name: string): Promise<PermissionTarget> {
  const { name: said, repo } = await readJson(ctx, targetForm)
  checkSameName(name, said)
  return {
    name,
    repositories: repo.repositories,
    includes: repo['include-patterns'],
    excludes: repo['exclude-patterns'],
    users: readGrants(repo.actions?.users ?? {}, words),
    groups: readGrants(repo.actions?.groups ?? {}, words),
  }
}

/** However empty it is written. */
function isNothing(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.values(value).every(isNothing)
  return value === null || value === undefined || value === ''
}
