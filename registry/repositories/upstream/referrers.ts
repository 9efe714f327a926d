import { algorithmOf, encodedOf, type Digest } from '../../domain/digest.ts'
import { readDescriptor } from '../../domain/descriptor.ts'
import { isObject, type JsonObject } from '../../domain/json.ts'
import type { ImageName } from '../../domain/names.ts'
import type { ReferrerDescriptor } from '../../domain/referrer.ts'
import { readPages } from './links.ts'
import type { Requests } from './requests.ts'
import { pullScope } from './scope.ts'

const accept = 'application/vnd.oci.image.index.v1+json'
/** What registries answer that do not know the API; the specification has 404 alone. */
const unknownApi: readonly number[] = [400, 405]

/** OCI distribution 1.1, "Listing Referrers": by the API, or where there is none by the index that clients keep under a tag. */
export async function listReferrers(
  requests: Requests,
  base: URL,
  image: ImageName,
  subject: Digest,
): Promise<readonly ReferrerDescriptor[]> {
  const ask = async (path: string) =>
    await readPages(requests, {
      question: { method: 'GET', url: new URL(`${image}/${path}`, base), headers: { accept }, meant: unknownApi },
      scope: pullScope(image),
      below: base.pathname,
      // A manifest that is no index is not about referrers.
      items: ({ manifests }) => (Array.isArray(manifests) ? (manifests as readonly unknown[]) : []),
    })
  const byApi = await ask(`referrers/${subject}`)
  const answer = 'items' in byApi ? byApi : await ask(`manifests/${algorithmOf(subject)}-${encodedOf(subject)}`)
  return 'items' in answer ? inOrder(answer.items.flatMap(readReferrer)) : []
}

function readReferrer(entry: unknown): readonly ReferrerDescriptor[] {
  const read = readDescriptor(entry)
  if ('problem' in read || read.mediaType === undefined || !isObject(entry)) return []
  const { artifactType, annotations, size } = entry
  const hasType = typeof artifactType === 'string' && artifactType !== ''
  return [
    {
      mediaType: read.mediaType,
      digest: read.digest,
      size: Number(size),
      ...(hasType && { artifactType }),
      ...(isObject(annotations) && { annotations: textsOf(annotations) }),
    },
  ]
}

/** OCI image 1.1, "Annotations": both MUST be strings. One that is not would spoil the whole list for clients in Go. */
function textsOf(annotations: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(annotations).filter(([, value]) => typeof value === 'string'))
}

function inOrder(referrers: readonly ReferrerDescriptor[]): readonly ReferrerDescriptor[] {
  const byDigest = new Map(referrers.map((referrer) => [referrer.digest, referrer]))
  return [...byDigest.values()].sort((one, other) => (one.digest < other.digest ? -1 : 1))
}
