import { RegistryError } from '../domain/errors.ts'
import type { RepositoryKey } from '../domain/names.ts'
import type { Context } from '../http/context.ts'
import type { Services } from '../http/services.ts'
import { changedBy, tagsAllowed } from '../http/v2/access.ts'
import { findRepository } from '../http/v2/address.ts'
import { originOf } from '../http/origin.ts'
import { removalOf } from '../http/v2/call.ts'
import { logChange, type Change } from '../http/v2/log-change.ts'
import { principalOf, type Caller } from '../identity/authenticate.ts'
import { isReachable } from '../repositories/reachable.ts'
import type { Repository } from '../repositories/repository.ts'
import { challenge, identify } from './identify.ts'
import { parseItemPath, type Item } from './item.ts'

/**
 * Artifactory's "Delete Item": `DELETE <context>/<repository key>[/<image>[/<tag or digest>]]`; the key alone empties the repository.
 * As by the V2 API, what a deleted tag was on goes by the rule for untagged manifests. Answers 204, as Artifactory's clients expect.
 *
 * `a/b` may be both the tag b of the image a and the image a/b. Then neither is deleted: in Artifactory they are one folder and both
 * would go, and if it were one of them alone, the same request once more would take the other.
 */
export async function deleteItem(ctx: Context, services: Services): Promise<void> {
  const { path } = ctx.state.target
  const parsed = parseItemPath(path.slice(services.config.context.length + 1))
  if (!parsed) throw nothingAt(path)
  const caller = await identify(ctx, services)
  const permitted: Item[] = []
  for (const item of parsed.items) if (await mayDelete(services, caller, parsed.repository, item)) permitted.push(item)
  if (permitted.length === 0) return refuse(ctx, services, caller, { ...parsed, path })

  const repository = findRepository(services.repositories, parsed.repository)
  const call = { services, caller, repository }
  const item = await theOnlyOne(call, permitted, path)
  if (!item || !(await remove(ctx, call, item))) throw nothingAt(path)
  ctx.status = 204
}

/** Who deletes a repository or an image must be allowed all of it; a token is good for images alone. */
async function mayDelete(services: Services, caller: Caller, key: RepositoryKey, item: Item): Promise<boolean> {
  if (item.kind === 'repository') {
    const rules = await services.directory.rules()
    return caller.by !== 'token' && rules.extentOf(principalOf(caller), 'delete', key) === 'all'
  }
  const allowed = await tagsAllowed(services, caller, 'delete', { repository: key, image: item.image })
  if (item.kind === 'image') return allowed.extent === 'all'
  if ('tag' in item.reference) return allowed.has(item.reference.tag)
  const repository = services.repositories.find(key)
  return repository
    ? isReachable(changedBy(repository), item, item.reference.digest, allowed)
    : allowed.extent === 'all'
}

interface Refused {
  readonly repository: RepositoryKey
  readonly path: string
}

function refuse(ctx: Context, services: Services, caller: Caller, { repository, path }: Refused): never {
  if (caller.by !== 'login') return challenge(ctx)
  const by = caller.principal.name
  services.audit.record({ type: 'refused', by, ...originOf(ctx, services), repository, action: 'delete', reason: path })
  throw new RegistryError('DENIED', { message: `${by} may not delete ${path}` })
}

/** The one of `items` that is there; undefined when none is. Throws DENIED when several are. */
async function theOnlyOne(call: Change, items: readonly Item[], path: string): Promise<Item | undefined> {
  const present: Item[] = []
  for (const item of items) if (await isThere(call, item)) present.push(item)
  if (present.length < 2) return present[0]
  throw new RegistryError('DENIED', {
    message:
      `${path} is an image, and a tag of the image around it: delete the tag by the V2 API (DELETE …/v2/<image>/manifests/<tag>), ` +
      `or the image's tags one by one (${path}/<tag>), and what is left of it then goes by itself`,
    detail: { path },
  })
}

async function isThere(call: Change, item: Item): Promise<boolean> {
  switch (item.kind) {
    case 'repository':
      return true
    case 'image':
      return removalOf(call).hasImage(item.image)
    case 'manifest':
      return removalOf(call).hasManifest(item.image, item.reference)
  }
}

/** False when it has gone meanwhile. */
async function remove(ctx: Context, call: Change, item: Item): Promise<boolean> {
  const removal = removalOf(call)
  switch (item.kind) {
    case 'repository': {
      refuseVirtual(call.repository)
      const images = await removal.deleteImages()
      logChange(ctx, call, 'repository emptied', { images })
      return true
    }
    case 'image': {
      const { image } = item
      if (!(await removal.deleteImage(image))) return false
      logChange(ctx, { ...call, image }, 'image deleted', {})
      return true
    }
    case 'manifest': {
      const { image, reference } = item
      const allowed = await tagsAllowed(call.services, call.caller, 'delete', {
        repository: call.repository.key,
        image,
      })
      if (!(await removal.deleteManifest(image, reference, (tag) => allowed.has(tag)))) return false
      logChange(ctx, { ...call, image }, 'manifest deleted', reference)
      return true
    }
  }
}

/** Whoever empties something is to know what. */
function refuseVirtual({ key, kind, deployTo }: Repository): void {
  if (kind !== 'virtual') return
  throw new RegistryError('UNSUPPORTED', {
    message: `${key} is a virtual repository, which has no images of its own: name ${deployTo?.key ?? 'a member'} to empty that`,
    detail: { repository: key },
  })
}

function nothingAt(path: string): RegistryError {
  return new RegistryError('NAME_UNKNOWN', { message: `there is nothing at ${path}`, detail: { path } })
}
