import { selectBytes } from '../../../wire/byte-range.ts'
import { challenge } from '../../api/identify.ts'
import { imageUnknown } from '../../domain/v1-image.ts'
import type { KeptV1Image } from '../../repositories/local/v1-repository.ts'
import type { Context } from '../context.ts'
import { sendBlob } from '../send-blob.ts'
import { empty } from '../v2/empty.ts'
import { answerV1Json, isForEver } from './answer.ts'
import { pusherOf, type RepositoryCall } from './call.ts'

type ImageCall = RepositoryCall<
  'image json' | 'image layer' | 'image ancestry' | 'image files' | 'image diff' | 'layer access'
>

/** Also how a client that pushes asks whether an image is there: so one that is not complete is not. */
export async function getJson(ctx: Context, call: ImageCall): Promise<void> {
  const image = await findImage(ctx, call)
  const json = await call.repository.json(image)
  isForEver(ctx)
  ctx.set('X-Docker-Size', String(image.layer.size))
  ctx.set('X-Docker-Checksum-Payload', image.layer.checksum)
  if (image.layer.tarsum !== undefined) ctx.set('X-Docker-Checksum', image.layer.tarsum)
  ctx.status = 200
  ctx.set('Content-Type', 'application/json')
  ctx.body = Buffer.from(json)
}

export async function getAncestry(ctx: Context, call: ImageCall): Promise<void> {
  const chain = await call.repository.ancestry(await findImage(ctx, call))
  isForEver(ctx)
  answerV1Json(
    ctx,
    chain.map(({ id }) => id),
  )
}

/**
 * Docker goes on where a layer broke off by a range whose end is one beyond the last byte, and takes a 416 without a body for "that was all":
 * docker 1.5, pkg/httputils/resumablerequestreader.go.
 */
export async function getLayer(ctx: Context, call: ImageCall): Promise<void> {
  const image = await findImage(ctx, call)
  const { digest, size } = image.layer
  ctx.set('X-Docker-Size', String(size))
  const { status } = selectBytes(ctx.method, ctx.req.headers, `"${digest}"`, size)
  if (status === 416) {
    ctx.status = 416
    ctx.set('Content-Range', `bytes */${size}`)
    return empty(ctx)
  }
  await sendBlob(ctx, call.repository.layer(image), digest)
  isForEver(ctx)
}

/** Whether a registry that asks the index may give the layer to the caller. */
export async function getLayerAccess(ctx: Context, call: ImageCall): Promise<void> {
  answerV1Json(ctx, { access: (await call.repository.find(call.resource.id, pusherOf(call))) !== undefined })
}

/** Throws MANIFEST_UNKNOWN also for what there is and the caller may not read: who knows an id knows no more by that. */
export async function findImage(ctx: Context, call: ImageCall): Promise<KeptV1Image> {
  const found = await call.repository.find(call.resource.id, pusherOf(call))
  if (found) return found
  if (call.caller.by === 'nothing' && !(await anonymousReads(call))) return challenge(ctx)
  throw imageUnknown(call.resource.id)
}

async function anonymousReads({ services, repository }: ImageCall): Promise<boolean> {
  return (await services.directory.rules()).extentOf({ kind: 'anonymous' }, 'read', repository.key) !== 'none'
}
