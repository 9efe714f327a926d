import { Readable } from 'node:stream'
import { setTimeout } from 'node:timers/promises'
import { z } from 'zod'
import { RegistryError } from '../domain/errors.ts'
import { isImageName, isRepositoryKey, isTag, type ImageName, type RepositoryKey } from '../domain/names.ts'
import type { Context } from '../http/context.ts'
import { originOf } from '../http/origin.ts'
import type { Services } from '../http/services.ts'
import { v1ImageName } from '../http/v1/resource.ts'
import { changedBy, tagsAllowed } from '../http/v2/access.ts'
import { findRepository } from '../http/v2/address.ts'
import { pushTargetOf } from '../http/v2/call.ts'
import type { Login } from '../identity/authenticate.ts'
import type { Migration, Migrator, Wish } from '../repositories/migration/migrations.ts'
import { readJson } from './read-fields.ts'
import { isAdmin, requireLogin } from './require.ts'

/** Proxies give up on an answer that says nothing for long. */
const signOfLifeMs = 10_000

const repositoryKey = z.string().refine(isRepositoryKey, 'expected the key of a repository, like docker-local')

/** Artifactory's fields, one of them also as its documentation once spelt it, and ours. */
const form = z.strictObject({
  targetRepo: repositoryKey.optional(),
  tagetRepo: repositoryKey.optional(),
  dockerRepository: z
    .string()
    .refine((text) => text === '' || isImageName(text), 'expected an image, like jfrog/ubuntu')
    .optional(),
  tag: z
    .string()
    .refine((text) => text === '' || isTag(text), 'expected a tag, like 12.04')
    .optional(),
  format: z.enum(['schema2', 'schema1'], 'expected schema2 or schema1').default('schema2'),
  library: z.enum(['keep', 'drop'], 'expected keep or drop').default('keep'),
  async: z.boolean('expected true or false').default(false),
})

/**
 * Artifactory's "Migrate Docker V1": what a V1 repository has comes to be in a V2 repository, too. Answers with the report when all is done, and
 * with `async` at once; the migration goes on when the client goes away.
 */
export async function migrate(ctx: Context, services: Services, key: string): Promise<void> {
  const caller = await requireLogin(ctx, services)
  const fields = await readJson(ctx, form)
  const wish = wishOf(services, key, fields)
  const by = migratorOf(ctx, services, caller, wish.source)
  if (wish.image !== undefined) await refuseNothing(services, { ...wish, image: wish.image }, by)
  const { migration, ended } = services.migrations.begin(wish, by)

  ctx.status = fields.async ? 202 : 200
  // Below whichever path the client knows this one by.
  ctx.set('Location', `migrate/${migration.id}`)
  if (fields.async) ctx.body = shown(migration)
  else {
    ctx.type = 'application/json'
    ctx.body = Readable.from(reportOf(migration, ended))
  }
}

/** Those that the caller has begun, an admin all; what they have done of each tag is told of one by one. */
export async function listMigrations(ctx: Context, services: Services, key: string): Promise<void> {
  const caller = await requireLogin(ctx, services)
  const source = sourceOf(services, key)
  const migrations = services.migrations.list(source).filter((migration) => maySee(caller, migration))
  ctx.body = { migrations: migrations.map(({ tags, ...migration }) => ({ ...migration, ...countsOf(tags) })) }
}

export async function answerMigration(ctx: Context, services: Services, key: string, id: string): Promise<void> {
  const caller = await requireLogin(ctx, services)
  const migration = services.migrations.find(id)
  if (!migration || migration.source !== sourceOf(services, key) || !maySee(caller, migration))
    throw new RegistryError('NAME_UNKNOWN', { message: `no migration with the id ${id} runs or has ended lately` })
  ctx.body = shown(migration)
}

function maySee(caller: Login, { by }: Migration): boolean {
  return isAdmin(caller) || caller.principal.name === by
}

function wishOf(services: Services, key: string, fields: z.output<typeof form>): Wish {
  const { dockerRepository = '', tag = '', format, library } = fields
  const targetRepo = fields.targetRepo ?? fields.tagetRepo
  if (targetRepo === undefined) throw badRequest('targetRepo: expected the key of the V2 repository to migrate to')
  if (dockerRepository === '' && tag !== '')
    throw badRequest('dockerRepository: expected the image that the tag belongs to')
  const source = sourceOf(services, key)
  const repository = changedBy(findRepository(services.repositories, targetRepo))
  if (services.repositories.findV1(repository.key))
    throw badRequest(`targetRepo: ${repository.key} speaks the V1 API: expected a V2 repository`)
  return {
    source,
    target: { repository, pushTarget: pushTargetOf({ repository }) },
    image: dockerRepository === '' ? undefined : v1ImageName(dockerRepository),
    tag: isTag(tag) ? tag : undefined,
    format,
    library,
  }
}

/** Throws NAME_UNKNOWN, and UNSUPPORTED where there is nothing to migrate. */
function sourceOf(services: Services, key: string): RepositoryKey {
  const repository = findRepository(services.repositories, key)
  if (services.repositories.findV1(key)) return repository.key
  throw new RegistryError('UNSUPPORTED', { message: `${key} is no V1 repository: there is nothing to migrate in it` })
}

function migratorOf(ctx: Context, services: Services, caller: Login, source: RepositoryKey): Migrator {
  const who = { by: caller.principal.name, with: caller.with, ...originOf(ctx, services) }
  return {
    name: caller.principal.name,
    readable: (of) => tagsAllowed(services, caller, 'read', of),
    deployable: (of) => tagsAllowed(services, caller, 'deploy', of),
    movable: (of) => tagsAllowed(services, caller, 'delete', of),
    told: (of, tag, digest) => {
      services.audit.record({ type: 'pushed', ...who, ...of, tags: [tag], digest, reason: `migrated from ${source}` })
    },
  }
}

/** What is named and is not there, or not for the caller, is said at once. */
async function refuseNothing(
  services: Services,
  { source, image, tag }: Wish & { readonly image: ImageName },
  by: Migrator,
): Promise<void> {
  const readable = await by.readable({ repository: source, image })
  if (await services.migrations.hasTag({ source, image, tag }, readable)) return
  const name = tag === undefined ? image : `${image}:${tag}`
  throw new RegistryError('NAME_UNKNOWN', {
    message: `there is no ${name} in ${source}, or ${by.name} may not read it`,
  })
}

async function* reportOf(migration: Migration, ended: Promise<void>): AsyncGenerator<string> {
  while (!(await endsWithin(ended, signOfLifeMs))) yield '\n'
  yield JSON.stringify(shown(migration))
}

async function endsWithin(ended: Promise<void>, ms: number): Promise<boolean> {
  const timer = new AbortController()
  const late = setTimeout(ms, false, { signal: timer.signal }).catch(() => false)
  const isEnded = await Promise.race([ended.then(() => true), late])
  timer.abort()
  return isEnded
}

function shown({ tags, ...migration }: Migration) {
  return { ...migration, ...countsOf(tags), tags }
}

function countsOf(tags: Migration['tags']) {
  const count = (outcome: Migration['tags'][number]['outcome']) => tags.filter((tag) => tag.outcome === outcome).length
  return { migrated: count('migrated'), thereAlready: count('there already'), failed: count('failed') }
}

function badRequest(message: string): RegistryError {
  return new RegistryError('BAD_REQUEST', { message })
}
