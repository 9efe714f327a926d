import type { Context } from '../context.ts'
import { diffOf, listFiles } from '../../repositories/local/layer-files.ts'
import type { KeptV1Image } from '../../repositories/local/v1-repository.ts'
import { answerV1Json, isForEver } from './answer.ts'
import type { RepositoryCall } from './call.ts'
import { findImage } from './images.ts'

/** What the layer has: `[[path, type, deleted, size, mtime, mode, uid, gid], …]`. */
export async function getFiles(ctx: Context, call: RepositoryCall<'image files'>): Promise<void> {
  const image = await findImage(ctx, call)
  const files = await listFiles(await bytesOf(ctx, call, image))
  isForEver(ctx)
  answerV1Json(ctx, files)
}

/** What it changes of the layers below it: `{"deleted": {path: […]}, "changed": {}, "created": {}}`. */
export async function getDiff(ctx: Context, call: RepositoryCall<'image diff'>): Promise<void> {
  const [image, ...below] = await call.repository.ancestry(await findImage(ctx, call))
  if (!image) return
  const diff = await diffOf(
    await bytesOf(ctx, call, image),
    below.map((parent) => () => bytesOf(ctx, call, parent)),
  )
  isForEver(ctx)
  answerV1Json(ctx, diff)
}

/** A layer may be long in reading: that ends when the client has gone. */
async function bytesOf(
  { res }: Context,
  { repository }: RepositoryCall,
  image: KeptV1Image,
): Promise<AsyncIterable<Uint8Array>> {
  const bytes = await repository.layer(image).open(undefined)
  const end = (): void => void bytes.destroy()
  if (res.closed) end()
  res.once('close', end)
  bytes.once('close', () => res.off('close', end))
  return bytes
}
