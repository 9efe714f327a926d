import { RegistryError } from '../../domain/errors.ts'
import type { Tag } from '../../domain/names.ts'
import { isV1ImageId, readV1About } from '../../domain/v1-image.ts'
import { principalOf } from '../../identity/authenticate.ts'
import type { Context } from '../context.ts'
import { tagsOfPrincipal } from '../v2/access.ts'
import { logChange } from '../v2/log-change.ts'
import { answerV1Json, done, readBodyJson } from './answer.ts'
import { pusherOf, tagUnknown, type NameCall } from './call.ts'
import { refuseUnknown } from './repositories.ts'

export async function getTags(ctx: Context, call: NameCall<'tags'>): Promise<void> {
  await refuseUnknown(call)
  const tags = await call.repository.tags(call.image)
  const readable = tags.filter(({ tag }) => call.allowed.has(tag))
  answerV1Json(ctx, Object.fromEntries(readable.map(({ tag, id }) => [tag, id])))
}

export async function getTag(ctx: Context, call: NameCall<'tag'>): Promise<void> {
  const id = await call.repository.tag(call.image, call.resource.tag)
  if (id === undefined) throw tagUnknown(call.resource.tag)
  answerV1Json(ctx, id)
}

/** After the images that it leads to. */
export async function putTag(ctx: Context, call: NameCall<'tag'>): Promise<void> {
  const { services, caller, repository, image, resource } = call
  const id = await readBodyJson(ctx)
  if (typeof id !== 'string' || !isV1ImageId(id))
    throw new RegistryError('BAD_REQUEST', { message: 'Invalid data: expected the id of an image as a JSON string' })
  // Moving a tag takes something away.
  const of = { repository: repository.key, image }
  const deletable = await tagsOfPrincipal(services, principalOf(caller), 'delete', of)
  await repository.pushes.putTag(image, resource.tag, id, pusherOf(call), (tag) => deletable.has(tag))
  const change = { services, caller, repository: repository.local, image }
  logChange(ctx, change, 'manifest pushed', { tags: [resource.tag] })
  done(ctx)
}

export async function deleteTag(ctx: Context, call: NameCall<'tag'>): Promise<void> {
  const { services, caller, repository, image, resource, allowed } = call
  if (!(await repository.local.deleteManifest(image, resource, (tag) => allowed.has(tag))))
    throw tagUnknown(resource.tag)
  const change = { services, caller, repository: repository.local, image }
  logChange(ctx, change, 'manifest deleted', resource)
  done(ctx)
}

/** What docker's own registry tells of who pushed the tag; here, of what made the image. */
export async function getTagJson(ctx: Context, call: NameCall<'tag json'>): Promise<void> {
  await answerTagJson(ctx, call, call.resource.tag)
}

export async function getRepositoryJson(ctx: Context, call: NameCall<'repository json'>): Promise<void> {
  if (!call.allowed.has(latest)) throw tagUnknown(latest)
  await answerTagJson(ctx, call, latest)
}

const latest = 'latest' as Tag

async function answerTagJson(ctx: Context, { repository, image }: NameCall, tag: Tag): Promise<void> {
  const found = await repository.local.manifest(image, { tag })
  const at = await repository.local.tagTime(image, tag)
  if (!found || !at) throw tagUnknown(tag)
  const { dockerVersion, architecture, os } = readV1About(found.bytes)
  answerV1Json(ctx, {
    last_update: Math.floor(at.getTime() / 1000),
    docker_version: dockerVersion ?? null,
    docker_go_version: null,
    arch: architecture ?? 'amd64',
    os: os ?? 'linux',
    kernel: null,
  })
}
