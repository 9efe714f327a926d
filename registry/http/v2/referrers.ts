import { parseDigest, type Digest } from '../../domain/digest.ts'
import { isReachable } from '../../repositories/reachable.ts'
import type { Context } from '../context.ts'
import { publicUrl, type ImageCall } from './call.ts'
import { parsePageRequest } from './page.ts'

const indexType = 'application/vnd.oci.image.index.v1+json'
const maxItems = 1000
/** Of the manifests behind a page, unless one is larger: bounds the answer, whose annotations are theirs, and the work for it. */
const maxPageBytes = 4 * 1024 * 1024
const batch = 4

interface Wanted {
  readonly subject: Digest
  readonly artifactType: string | undefined
  readonly after: Digest | undefined
  readonly limit: number
}

interface Page {
  /** Descriptors in JSON. */
  readonly descriptors: readonly string[]
  readonly next: Digest | undefined
}

const nothing: Page = { descriptors: [], next: undefined }

/**
 * end-12a and end-12b. Always an index, also for a subject that was never pushed (OCI distribution 1.1, "Listing Referrers").
 *
 * "Enabling the Referrers API" asks for what clients have listed by the referrers tag schema and has a subject. That is here
 * without a look at the tag, because every manifest is known by its subject since it was pushed; what has none is no referrer.
 */
export async function listReferrers(ctx: Context, call: ImageCall<'referrers'>): Promise<void> {
  const wanted = wantedBy(ctx, call)
  const { repository, allowed } = call
  const isKnown = await isReachable(repository, call, wanted.subject, allowed)
  const { descriptors, next } = isKnown ? await pageOf(call, wanted) : nothing

  if (wanted.artifactType !== undefined) ctx.set('OCI-Filters-Applied', 'artifactType')
  if (next !== undefined) ctx.set('Link', `<${nextUrl(ctx, call, wanted, next)}>; rel="next"`)
  ctx.status = 200
  ctx.set('Content-Type', indexType)
  ctx.body = `{"schemaVersion":2,"mediaType":"${indexType}","manifests":[${descriptors.join(',')}]}`
}

/** Throws PAGINATION_NUMBER_INVALID, and DIGEST_INVALID for a `last` that no page ends with. */
function wantedBy(ctx: Context, { resource: { digest: subject } }: ImageCall<'referrers'>): Wanted {
  const { limit, after } = parsePageRequest(ctx)
  return {
    subject,
    artifactType: new URLSearchParams(ctx.state.target.query).get('artifactType') || undefined,
    after: after === undefined ? undefined : parseDigest(after),
    limit: Math.min(limit, maxItems),
  }
}

async function pageOf({ repository, image }: ImageCall<'referrers'>, wanted: Wanted): Promise<Page> {
  const descriptors: string[] = []
  let { after } = wanted
  let bytes = 0
  while (descriptors.length < wanted.limit) {
    const limit = Math.min(batch, wanted.limit - descriptors.length)
    const { items, next } = await repository.referrers(image, { ...wanted, after, limit })
    for (const referrer of items) {
      bytes += referrer.size
      if (descriptors.length > 0 && bytes > maxPageBytes) return { descriptors, next: after }
      descriptors.push(JSON.stringify(referrer))
      after = referrer.digest
    }
    if (next === undefined) return { descriptors, next }
  }
  return { descriptors, next: wanted.limit > 0 ? after : undefined }
}

function nextUrl(ctx: Context, call: ImageCall<'referrers'>, { subject, artifactType, limit }: Wanted, last: Digest) {
  const query = new URLSearchParams({ ...(artifactType && { artifactType }), n: String(limit), last })
  return `${publicUrl(ctx, call, `referrers/${subject}`)}?${query.toString()}`
}
