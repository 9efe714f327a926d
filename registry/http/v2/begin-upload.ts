import { algorithmOf, digestAlgorithms, parseDigest, type Digest, type DigestAlgorithm } from '../../domain/digest.ts'
import { RegistryError } from '../../domain/errors.ts'
import type { UploadId } from '../../domain/upload-id.ts'
import { userOf } from '../../identity/authenticate.ts'
import type { Context } from '../context.ts'
import { declaredLength, openBody } from '../request-body.ts'
import { pushTargetOf, type ImageCall } from './call.ts'
import { empty } from './empty.ts'
import { mountBlob } from './mount.ts'
import { answerBlob, setProgress } from './uploads.ts'

/** end-4a, end-4b and end-11: an upload, a whole blob, or a blob that another image has already. */
export async function beginUpload(ctx: Context, call: ImageCall<'uploads'>): Promise<void> {
  const query = new URLSearchParams(ctx.state.target.query)
  const [mount, digest, algorithm] = [query.get('mount'), query.get('digest'), query.get('digest-algorithm')]

  if (mount !== null) {
    const mounted = parseDigest(mount)
    if (await mountBlob(call, mounted, query.get('from'))) return answerBlob(ctx, call, mounted)
    return begin(ctx, call, algorithmOf(mounted))
  }
  if (digest !== null) return pushAtOnce(ctx, call, parseDigest(digest))
  return begin(ctx, call, parseAlgorithm(algorithm))
}

async function begin(ctx: Context, call: ImageCall<'uploads'>, algorithm: DigestAlgorithm): Promise<void> {
  const id = await pushTargetOf(call).begin(call.image, algorithm, userOf(call.caller))
  setProgress(ctx, call, id, 0)
  ctx.status = 202
  empty(ctx)
}

async function pushAtOnce(ctx: Context, call: ImageCall<'uploads'>, digest: Digest): Promise<void> {
  const target = pushTargetOf(call)
  await target.admit(declaredLength(ctx) ?? 0)
  const id = await target.begin(call.image, algorithmOf(digest), userOf(call.caller))
  try {
    await target.append(call.image, id, 0, openBody(ctx))
    await target.finish(call.image, id, digest)
  } catch (error) {
    await cancelIfThere(call, id)
    throw error
  }
  await answerBlob(ctx, call, digest)
}

/** The client was told of no upload that it could go on with or cancel. Some refusals have ended it already. */
async function cancelIfThere(call: ImageCall<'uploads'>, id: UploadId): Promise<void> {
  try {
    await pushTargetOf(call).cancel(call.image, id)
  } catch (error) {
    if (!(error instanceof RegistryError) || error.code !== 'BLOB_UPLOAD_UNKNOWN') throw error
  }
}

function parseAlgorithm(name: string | null): DigestAlgorithm {
  const algorithm = digestAlgorithms.find((known) => known === (name ?? 'sha256'))
  if (algorithm) return algorithm
  throw new RegistryError('DIGEST_INVALID', {
    message: `digest-algorithm is none of ${digestAlgorithms.join(', ')}`,
    detail: { 'digest-algorithm': name },
  })
}
