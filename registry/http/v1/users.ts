import { challenge, identify } from '../../api/identify.ts'
import type { Context } from '../context.ts'
import { answerV1Json, ignoreBody } from './answer.ts'
import type { V1Request } from './call.ts'

/** The first step of `docker login`, which would make a user: docker tries its password by the second one when this is refused so. */
export async function registerUser(ctx: Context): Promise<void> {
  await ignoreBody(ctx)
  return challenge(ctx)
}

/** The second step. */
export async function checkLogin(ctx: Context, { services }: V1Request): Promise<void> {
  const caller = await identify(ctx, services)
  if (caller.by !== 'login') return challenge(ctx)
  answerV1Json(ctx, 'OK')
}
