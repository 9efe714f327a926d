import Koa from 'koa'
import { BadRequestTarget, parseRequestTarget, type RequestTarget } from '../../wire/request-target.ts'
import { openApi } from '../api/router.ts'
import { RegistryError } from '../domain/errors.ts'
import { UpstreamFailure } from '../repositories/upstream/upstream.ts'
import type { Context, RequestState } from './context.ts'
import { locateApi } from './api-address.ts'
import { answerError, brokeOff } from './errors.ts'
import type { Services } from './services.ts'
import { locateV1 } from './v1/address.ts'
import { answerV1 } from './v1/dispatch.ts'
import { answerV2, nameApi } from './v2/dispatch.ts'

/** Everything that the registry answers, as one request handler. */
export function openApp(services: Services): Koa<RequestState> {
  const app = new Koa<RequestState>()
  app.use(async (ctx, next) => {
    ctx.state.trust = services.peers.trustOf(ctx.req.socket)
    try {
      ctx.state.target = targetOf(ctx)
      const v2 = locateApi('v2', ctx.state.target.path, services.config.context)
      const v1 = locateV1(ctx.state.target.path, services.config.context)
      if (v2) await answerV2(ctx, services, v2)
      else if (v1) await answerV1(ctx, services, v1)
      else {
        ctx.path = ctx.state.target.path // what koa-router looks at
        await next()
      }
    } catch (error) {
      answerError(ctx, error, services.log)
    }
  })
  app.use(openApi(services).routes())
  app.use((ctx) => {
    const { path } = ctx.state.target
    throw new RegistryError('NAME_UNKNOWN', { message: `there is nothing at ${path}` })
  })
  app.on('error', logOnce(services))
  return app
}

/**
 * Only what fails after the answer has begun: the connection is broken off then, and the log alone can say why. That of an upstream
 * comes to all who wait for the same blob, and of each twice.
 */
function logOnce({ log }: Services): (error: Error) => void {
  const logged = new WeakSet<Error>()
  return (error) => {
    if (brokeOff(error) || logged.has(error)) return
    logged.add(error)
    const isKnown = error instanceof UpstreamFailure || error instanceof RegistryError
    if (isKnown) log.warn({ err: error }, 'answer broken off: the rest of it will not come')
    else log.error({ err: error }, 'answer failed half-way')
  }
}

/** Before any routing, so that no rule of ours is applied to another spelling of the path than the gateway's were. */
function targetOf(ctx: Context): RequestTarget {
  const raw = ctx.req.url ?? ''
  try {
    return parseRequestTarget(raw)
  } catch (cause) {
    if (!(cause instanceof BadRequestTarget)) throw cause
    if (/\/v2(?:\/|$)/.test(raw)) nameApi(ctx)
    throw new RegistryError('BAD_REQUEST', { message: cause.message, cause })
  }
}
