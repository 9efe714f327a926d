import type { Context } from '../../http/context.ts'
import type { Services } from '../../http/services.ts'

/** What others verify the tokens with that docker is given (RFC 7517 §5). Another key is made long before it is the only one. */
export async function answerJwks(ctx: Context, { tokens }: Services): Promise<void> {
  const keys = await tokens.published()
  ctx.set('Cache-Control', 'max-age=300')
  ctx.status = 200
  ctx.body = { keys }
}
