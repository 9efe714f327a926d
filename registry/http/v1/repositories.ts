import { RegistryError } from '../../domain/errors.ts'
import { isObject } from '../../domain/json.ts'
import { isV1ImageId, type V1ImageId } from '../../domain/v1-image.ts'
import { userOf } from '../../identity/authenticate.ts'
import { isKnown } from '../../repositories/reachable.ts'
import type { Context } from '../context.ts'
import { logChange } from '../v2/log-change.ts'
import { answerV1Json, done, ignoreBody, readBodyJson } from './answer.ts'
import { repositoryUnknown, type NameCall } from './call.ts'
import { nameEndpoints } from './tokens.ts'

const imagesAtOnce = 1000

/** The first step of a push: what images there will be. */
export async function putRepository(ctx: Context, call: NameCall<'repository'>): Promise<void> {
  const ids = idsIn(await readBodyJson(ctx))
  await call.repository.pushes.announce(call.image, userOf(call.caller) ?? '', ids)
  await nameEndpoints(ctx, call, 'write')
  done(ctx)
}

/** The last step of a push. Docker takes any other status than 204 for a failure; what is sent says nothing new. */
export async function putRepositoryImages(ctx: Context, call: NameCall<'repository images'>): Promise<void> {
  await ignoreBody(ctx)
  await call.repository.pushes.endPush(call.image, userOf(call.caller) ?? '')
  await nameEndpoints(ctx, call, 'write')
  ctx.status = 204
}

/** The first step of a pull. */
export async function getRepositoryImages(ctx: Context, call: NameCall<'repository images'>): Promise<void> {
  await refuseUnknown(call)
  await nameEndpoints(ctx, call, 'read')
  answerV1Json(ctx, await listImages(call))
}

/** Of docker's own registry; it changes nothing. */
export async function deleteRepositoryImages(ctx: Context, call: NameCall<'repository images'>): Promise<void> {
  await nameEndpoints(ctx, call, 'delete')
  ctx.status = 204
}

/** All tags, and then the images that no other image name has. */
export async function deleteRepository(ctx: Context, call: NameCall<'repository' | 'tags'>): Promise<void> {
  const { services, caller, repository, image, allowed } = call
  if (allowed.extent !== 'all')
    throw new RegistryError('DENIED', { message: `deleting ${image} needs the right to delete all of its tags` })
  if (!(await repository.local.deleteImage(image))) throw repositoryUnknown(image)
  logChange(ctx, { services, caller, repository: repository.local, image }, 'image deleted', {})
  await nameEndpoints(ctx, call, 'delete')
  done(ctx)
}

/** Whoever comes here has been asked for what it shows, and that is good. */
export async function putRepositoryAuth(ctx: Context): Promise<void> {
  await ignoreBody(ctx)
  answerV1Json(ctx, 'OK')
}

/** Of docker's own registry: whether one must log in to see it. */
export async function getProperties(ctx: Context, call: NameCall<'properties'>): Promise<void> {
  await refuseUnknown(call)
  const { services, repository, image } = call
  const rules = await services.directory.rules()
  const readable = rules.tagsOf({ kind: 'anonymous' }, 'read', repository.key, image)
  answerV1Json(ctx, { access: readable.extent === 'none' ? 'private' : 'public' })
}

/** Throws UNSUPPORTED: who may see what is not said by who pushes. */
export async function putProperties(ctx: Context): Promise<void> {
  await ignoreBody(ctx)
  throw new RegistryError('UNSUPPORTED', {
    message: 'who may see a repository is said by permission targets: ask an administrator',
  })
}

/** Throws NAME_UNKNOWN also for what there is and the caller may see nothing of. */
export async function refuseUnknown({ repository, image, allowed }: NameCall): Promise<void> {
  const exists = (await repository.local.tags(image, undefined, 1)) !== undefined
  if (!exists || !(await isKnown(repository.local, image, allowed))) throw repositoryUnknown(image)
}

/** Every image; of who may see some tags alone, those that these are on. */
async function listImages(call: NameCall<'repository images'>): Promise<readonly { readonly id: string }[]> {
  const { repository, image, allowed } = call
  if (allowed.extent !== 'all')
    return (await repository.tags(image)).flatMap(({ tag, id }) => (allowed.has(tag) ? [{ id }] : []))
  const images: { id: string; checksum: string }[] = []
  let after: V1ImageId | undefined
  do {
    const page = await repository.images(image, after, imagesAtOnce)
    images.push(...page.map(({ id, layer }) => ({ id, checksum: layer.checksum })))
    after = page.length === imagesAtOnce ? page.at(-1)?.id : undefined
  } while (after !== undefined)
  return images
}

/** Of `[{"id":"…","Tag":"latest"},{"id":"…"}]`. Throws BAD_REQUEST. */
function idsIn(body: unknown): readonly V1ImageId[] {
  if (!Array.isArray(body))
    throw new RegistryError('BAD_REQUEST', { message: 'Invalid data: expected a list of images, [{"id": "…"}, …]' })
  return body.map((entry: unknown) => {
    const id = isObject(entry) ? entry['id'] : undefined
    if (typeof id === 'string' && isV1ImageId(id)) return id
    throw new RegistryError('BAD_REQUEST', { message: 'Invalid data: expected each image to have an id of hex digits' })
  })
}
