import { RegistryError } from '../domain/errors.ts'
import type { RepositoryKey } from '../domain/names.ts'
import { permits } from '../domain/permissions.ts'
import type { Context } from '../http/context.ts'
import type { Services } from '../http/services.ts'
import { callerMay } from '../http/v2/access.ts'
import { findRepository } from '../http/v2/address.ts'
import { pushTargetOf } from '../http/v2/call.ts'
import { logChange, type Change } from '../http/v2/log-change.ts'
import type { Caller } from '../identity/authenticate.ts'
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
  const permitted = parsed.items.filter((item) => mayDelete(services, caller, parsed.repository, item))
  if (permitted.length === 0) return refuse(ctx, caller, path)

  const repository = findRepository(services.repositories, parsed.repository)
  const call = { services, caller, repository }
  const item = await theOnlyOne(call, permitted, path)
  if (!item || !(await remove(ctx, call, item))) throw nothingAt(path)
  ctx.status = 204
}

/** A token is good for images alone. */
function mayDelete(services: Services, caller: Caller, repository: RepositoryKey, item: Item): boolean {
  if (item.kind !== 'repository') return callerMay(services, caller, 'delete', repository, item.image)
  return caller.by === 'password' && permits(caller.user, 'delete', repository, undefined, services.config)
}

function refuse(ctx: Context, caller: Caller, path: string): never {
  if (caller.by !== 'password') return challenge(ctx)
  throw new RegistryError('DENIED', { message: `${caller.user.name} may not delete ${path}` })
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
      return pushTargetOf(call).hasImage(item.image)
    case 'manifest':
      return (await call.repository.manifest(item.image, item.reference)) !== undefined
  }
}

/** False when it has gone meanwhile. */
async function remove(ctx: Context, call: Change, item: Item): Promise<boolean> {
  const target = pushTargetOf(call)
  switch (item.kind) {
    case 'repository': {
      const images = await target.deleteImages()
      logChange(ctx, call, 'repository emptied', { images })
      return true
    }
    case 'image': {
      const { image } = item
      if (!(await target.deleteImage(image))) return false
      logChange(ctx, { ...call, image }, 'image deleted', {})
      return true
    }
    case 'manifest': {
      const { image, reference } = item
      if (!(await target.deleteManifest(image, reference))) return false
      logChange(ctx, { ...call, image }, 'manifest deleted', reference)
      return true
    }
  }
}

function nothingAt(path: string): RegistryError {
  return new RegistryError('NAME_UNKNOWN', { message: `there is nothing at ${path}`, detail: { path } })
}
