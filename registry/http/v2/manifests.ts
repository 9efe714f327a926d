import { isAscii } from 'node:buffer'
import { selectBytes } from '../../../wire/byte-range.ts'
import { algorithmOf, type Digest } from '../../domain/digest.ts'
import { RegistryError } from '../../domain/errors.ts'
import { isObject, parseJson } from '../../domain/json.ts'
import { digestOfManifest } from '../../domain/manifest-digest.ts'
import { isMediaType, isVague, mediaTypeIn } from '../../domain/manifest-media-type.ts'
import { parseTag, type Reference, type Tag } from '../../domain/names.ts'
import { unsignedSchema1 } from '../../domain/schema1/media-types.ts'
import { bytesOf, formatSize } from '../../domain/size.ts'
import { principalOf, userOf } from '../../identity/authenticate.ts'
import { isReachable } from '../../repositories/reachable.ts'
import type { PushRights, Repository } from '../../repositories/repository.ts'
import type { Context } from '../context.ts'
import { declaredLength, readBody } from '../request-body.ts'
import { changedBy, noteShown, pushedTo, tagsOfPrincipal, tagsToNameFrom } from './access.ts'
import { publicUrl, pushTargetOf, removalOf, type ImageCall } from './call.ts'
import { showCache } from './cache-headers.ts'
import { empty } from './empty.ts'
import { logChange } from './log-change.ts'
import { forOldClients } from './old-clients.ts'

/** The answer names each of them, and clients and proxies read heads of 16 KiB. OCI distribution: at least 10, else 414. */
const maxTags = 100

/** end-3. `HEAD` comes here too. */
export async function getManifest(ctx: Context, call: ImageCall<'manifest'>): Promise<void> {
  const { repository, image, resource } = call
  const { reference } = resource
  const found = await repository.manifest(image, reference, { use: ctx.method === 'HEAD' ? 'rely' : 'read' })
  if (!found || !(await mayGoTo(repository, call))) throw manifestUnknown(call)
  const manifest = 'tag' in reference ? await forOldClients(ctx, call, found, reference.tag) : found
  const { digest, mediaType, bytes } = manifest

  const etag = `"${digest}"`
  // A manifest is read whole: ranges are for blobs.
  ctx.status = selectBytes('HEAD', ctx.req.headers, etag, bytes.byteLength).status
  ctx.set('Docker-Content-Digest', digest)
  ctx.set('ETag', etag)
  if (manifest.cache) showCache(ctx, manifest.cache)
  if (ctx.status !== 200) return empty(ctx)
  ctx.set('Content-Type', mediaType)
  ctx.length = bytes.byteLength
  if (ctx.method === 'GET') ctx.body = bodyOf(bytes)
}

/** As a string it goes out in one piece with the header, which saves a tenth of the whole request's cost. */
function bodyOf(bytes: Uint8Array): string | Buffer {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return isAscii(buffer) ? buffer.toString('latin1') : buffer
}

/** end-7. */
export async function putManifest(ctx: Context, call: ImageCall<'manifest'>): Promise<void> {
  const { image, resource } = call
  const target = pushTargetOf(call)
  const declared = declaredType(ctx)
  const tags = tagsOf(ctx, call)
  refuseTags(call, tags)
  const maxBytes = bytesOf(call.services.config.limits.manifestSize)
  await target.admit(declaredLength(ctx) ?? 0)
  const bytes = await readBody(ctx, maxBytes, () => manifestTooLarge(maxBytes))
  const mediaType = mediaTypeOf(declared, bytes)
  const digest = digestFor(resource.reference, mediaType, bytes)

  const { subject } = await target.putManifest(image, { digest, mediaType, bytes }, tags, await pushRights(call))
  await noteShown(call, digest)
  logChange(ctx, call, 'manifest pushed', { digest, tags })

  ctx.status = 201
  ctx.set('Location', publicUrl(ctx, call, `manifests/${digest}`))
  ctx.set('Docker-Content-Digest', digest)
  if (subject !== undefined) ctx.set('OCI-Subject', subject)
  if ('digest' in resource.reference && tags.length > 0) ctx.set('OCI-Tag', [...tags])
  empty(ctx)
}

/** end-9. */
export async function deleteManifest(ctx: Context, call: ImageCall<'manifest'>): Promise<void> {
  const { repository, image, resource, allowed } = call
  const removal = removalOf(call)
  if (!(await mayGoTo(changedBy(repository), call))) throw manifestUnknown(call)
  if (!(await removal.deleteManifest(image, resource.reference, (tag) => allowed.has(tag)))) throw manifestUnknown(call)
  logChange(ctx, call, 'manifest deleted', resource.reference)
  ctx.status = 202
  empty(ctx)
}

/** The tag of the path has been looked at; a digest must be one that a tag leads to. */
async function mayGoTo(
  repository: Repository,
  { image, resource: { reference }, allowed }: ImageCall<'manifest'>,
): Promise<boolean> {
  return 'tag' in reference || isReachable(repository, { image }, reference.digest, allowed)
}

/** Throws DENIED for a tag that the caller may not push to, where the path has the digest. */
function refuseTags({ caller, repository, image, allowed }: ImageCall<'manifest'>, tags: readonly Tag[]): void {
  const refused = tags.find((tag) => !allowed.has(tag))
  if (refused === undefined) return
  const message = `${userOf(caller) ?? 'anonymous'} may not deploy ${image}:${refused} in ${repository.key}`
  throw new RegistryError('DENIED', { message, detail: { tag: refused } })
}

/** Moving a tag takes something away, which needs the right to delete; a token for a push is not asked for with that. */
async function pushRights(call: ImageCall<'manifest'>): Promise<PushRights> {
  const { services, caller, repository, image } = call
  const deletable = await tagsOfPrincipal(services, principalOf(caller), 'delete', {
    repository: repository.key,
    image,
  })
  const mayTake = (tag: Tag) => deletable.has(tag)
  const known = await tagsToNameFrom(call)
  if (known.extent === 'all') return { mayTake }
  const of = pushedTo(call)
  return {
    mayTake,
    mayName: async (digest) => {
      if (await services.shownContent.has(userOf(caller), of, digest)) return true
      return isReachable(changedBy(repository), of, digest, known)
    },
  }
}

/** The tag of the path, or those of `?tag=` when the path has the digest (OCI distribution 1.1.1, "Pushing Manifests"). */
function tagsOf(ctx: Context, { resource: { reference } }: ImageCall<'manifest'>): readonly Tag[] {
  if ('tag' in reference) return [reference.tag]
  const tags = [...new Set(new URLSearchParams(ctx.state.target.query).getAll('tag').map(parseTag))]
  if (tags.length <= maxTags) return tags
  throw new RegistryError('TOO_MANY_TAGS', {
    message: `${tags.length} tags in one request, and ${maxTags} are allowed: push the rest with the same manifest again`,
    detail: { maxTags },
  })
}

/** Without parameters: they say nothing about a manifest, and would hide its media type from whoever compares it. */
function declaredType(ctx: Context): string {
  const mediaType = (ctx.req.headers['content-type'] ?? '').replace(/;.*$/s, '').trim()
  if (mediaType === '' || isMediaType(mediaType)) return mediaType
  throw noMediaType()
}

/** docker 1.6 to 1.9 declare none, and that of schema 1 without signatures is declared for what has some: then the manifest decides. */
function mediaTypeOf(declared: string, bytes: Uint8Array): string {
  if (!isVague(declared) && declared !== unsignedSchema1) return declared
  const json = parseJson(bytes)
  const found = 'value' in json && isObject(json.value) ? mediaTypeIn(json.value) : undefined
  if (found === undefined && declared === '') throw noMediaType()
  return found ?? declared
}

function noMediaType(): RegistryError {
  return new RegistryError('MANIFEST_INVALID', { message: 'the Content-Type must be the media type of the manifest' })
}

function digestFor(reference: Reference, mediaType: string, bytes: Buffer): Digest {
  const expected = 'digest' in reference ? reference.digest : undefined
  const digest = digestOfManifest(mediaType, bytes, expected === undefined ? 'sha256' : algorithmOf(expected))
  if (expected === undefined || digest === expected) return digest
  throw new RegistryError('DIGEST_INVALID', { detail: { expected, actual: digest } })
}

function manifestTooLarge(maxBytes: number): RegistryError {
  const message = `the manifest is larger than the ${formatSize(maxBytes)} that this registry accepts`
  return new RegistryError('MANIFEST_TOO_LARGE', { message, detail: { maxBytes } })
}

function manifestUnknown({ image, resource }: ImageCall<'manifest'>): RegistryError {
  return new RegistryError('MANIFEST_UNKNOWN', { detail: { image, ...resource.reference } })
}
