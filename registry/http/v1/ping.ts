import type { Context } from '../context.ts'
import type { Services } from '../services.ts'

/**
 * On every answer below `/v1`. A standalone registry has users of its own, so docker sends the password with every request over TLS: docker
 * 1.5, registry/endpoint.go, "X-Docker-Registry-Standalone".
 */
export function nameV1(ctx: Context, { version }: Services): void {
  ctx.set('X-Docker-Registry-Version', version)
  ctx.set('X-Docker-Registry-Standalone', 'true')
}

/** Asked before anything else, and before search by docker of today. Nobody need log in for it. */
export async function ping(ctx: Context): Promise<void> {
  ctx.status = 200
  ctx.set('Content-Type', 'application/json')
  ctx.body = '{}'
}
