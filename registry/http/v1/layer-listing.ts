import type { Context } from '../context.ts'
import { diffOf, listFiles } from '../../repositories/local/layer-files.ts'
import type { KeptV1Image } from '../../repositories/local/v1-repository.ts'
import { answerV1Json, isForEver } from './answer.ts'
import type { RepositoryCall } from './call.ts'
import { findImage } from './images.ts'

/** What the layer has: `[[path, type, deleted, size, mtime, mode, uid, gid], …]`. */
export async function getFiles(ctx: Context, call: RepositoryCall<'image files'>): Promise<void> {
  const image = await findImage(ctx, call)
  const files = await listFiles(await bytesOf(call, image))
  isForEver(ctx)
  answerV1Json(ctx, files)
}

/** What it changes of the layers below it: `{"deleted": {path: […]}, "changed": {}, "created": {}}`. */
export async function getDiff(ctx: Context, call: RepositoryCall<'image diff'>): Promise<void> {
  const [image, ...below] = await call.repository.ancestry(await findImage(ctx, call))
  if (!image) return
  const diff = await diffOf(
    await bytesOf(call, image),
    below.map((parent) => () => bytesOf(call, parent)),
  )
  isForEver(ctx)
  answerV1Json(ctx, diff)
}

function bytesOf({ repository }: RepositoryCall, image: KeptV1Image): Promise<AsyncIterable<Uint8Array>> {
  return repository.layer(image).open(undefined)
}
