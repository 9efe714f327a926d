import { RegistryError } from '../../domain/errors.ts'
import type { Context } from '../../http/context.ts'
import { publicOrigin } from '../../http/public-url.ts'
import type { Services } from '../../http/services.ts'

/** Artifactory's lists: names, and where each is told of. */
export function answerList(ctx: Context, services: Services, path: string, items: readonly { name: string }[]): void {
  const { origin } = publicOrigin({ trusted: ctx.state.trust !== 'none', headers: ctx.req.headers })
  const above = `${origin}${services.config.context}/api/${path}`
  ctx.status = 200
  ctx.body = items.map((item) => ({ ...item, uri: `${above}/${encodeURIComponent(item.name).replaceAll('%40', '@')}` }))
}

/** 201 for what is new. */
export function answerPut(ctx: Context, isNew: boolean): void {
  ctx.status = isNew ? 201 : 200
  ctx.body = ''
}

/** A sentence, as Artifactory answers deletions. */
export function answerText(ctx: Context, sentence: string): void {
  ctx.status = 200
  ctx.type = 'text/plain'
  ctx.body = sentence
}

/** `what`: `user alice`. */
export function unknown(what: string): RegistryError {
  return new RegistryError('NAME_UNKNOWN', { message: `there is no ${what}` })
}

/** A body may say again what the path says. Throws BAD_REQUEST when it says another. */
export function checkSameName(name: string, said: string | undefined): void {
  if (said === undefined || said === name) return
  throw new RegistryError('BAD_REQUEST', { message: `name: the path says ${name}, the body another one` })
}
