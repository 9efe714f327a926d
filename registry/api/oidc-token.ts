import { z } from 'zod'
import { RegistryError } from '../domain/errors.ts'
import { parseJson } from '../domain/json.ts'
import type { Context } from '../http/context.ts'
import { originOf } from '../http/origin.ts'
import { readBody } from '../http/request-body.ts'
import { requestId } from '../http/request-id.ts'
import type { Services } from '../http/services.ts'
import { tokenIdOf } from '../identity/access-tokens.ts'
import type { Exchange } from '../identity/oidc/workload.ts'

const maxBodyBytes = 64 * 1024

const exchangeForm = z.object({
  grant_type: z.literal('urn:ietf:params:oauth:grant-type:token-exchange'),
  subject_token_type: z.enum(['urn:ietf:params:oauth:token-type:id_token', 'urn:ietf:params:oauth:token-type:jwt']),
  subject_token: z.string().min(1),
  provider_name: z.string().min(1),
  identity_mapping_name: z.string().min(1).optional(),
})

/** Artifactory's "Exchange OIDC Token" (RFC 8693): the token of a job becomes a short-lived one of this registry. */
export async function exchangeToken(ctx: Context, services: Services): Promise<void> {
  const { oidc, log } = services
  ctx.set('Cache-Control', 'no-store')
  const { provider_name: provider, subject_token: token, identity_mapping_name: rule } = await parseExchange(ctx)
  const workload = oidc.workloads.get(provider)
  if (!workload)
    throw new RegistryError('BAD_REQUEST', { message: 'provider_name: there is no such provider for jobs' })

  const shown = { with: `oidc:${provider}`, ...originOf(ctx, services) }
  const exchange = await recordingRefusal(workload.exchange(token, rule), (reason) =>
    services.audit.record({ type: 'login.failed', ...shown, reason }),
  )
  const line = { requestId: requestId(ctx), provider, subject: exchange.subject }
  if (exchange.kind === 'unmatched') {
    log.warn({ ...line, misses: exchange.misses }, 'job token matches no rule')
    services.audit.record({ type: 'login.failed', ...shown, reason: `no rule matches ${nameOf(exchange)}` })
    throw new RegistryError('UNAUTHORIZED', { message: `no rule of the provider "${provider}" matches this token` })
  }
  log.info({ ...line, by: exchange.user, rule: exchange.rule }, 'job token exchanged')
  const job = { by: exchange.user, ...shown, reason: `rule ${exchange.rule} for ${nameOf(exchange)}` }
  services.audit.record({ type: 'login', ...job })
  services.audit.record({ type: 'token.made', ...job, action: 'access', subject: tokenIdOf(exchange.token) })
  ctx.status = 200
  ctx.body = {
    access_token: exchange.token,
    // RFC 8693 §2.2.1: REQUIRED.
    issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    token_type: 'Bearer',
    expires_in: exchange.expiresInSeconds,
    scope: exchange.scope,
    username: exchange.user,
  }
}

/** That the provider cannot be asked is no refusal. */
async function recordingRefusal<result>(asked: Promise<result>, record: (reason: string) => void): Promise<result> {
  try {
    return await asked
  } catch (error) {
    if (error instanceof RegistryError && error.code === 'UNAUTHORIZED') record(error.message)
    throw error
  }
}

function nameOf({ subject }: Exchange): string {
  return subject ?? 'no subject'
}

/** Names what is wrong, never what was sent: it may be a token in the wrong place. */
async function parseExchange(ctx: Context): Promise<z.output<typeof exchangeForm>> {
  const { success, data, error } = exchangeForm.safeParse(await readFields(ctx))
  if (success) return data
  const [issue] = error.issues
  throw new RegistryError('BAD_REQUEST', {
    message: `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not valid'}`,
  })
}

async function readFields(ctx: Context): Promise<unknown> {
  const [type] = (ctx.req.headers['content-type'] ?? '').toLowerCase().split(';')
  const body = await readBody(
    ctx,
    maxBodyBytes,
    () => new RegistryError('BAD_REQUEST', { message: `the body is larger than ${maxBodyBytes} bytes` }),
  )
  switch (type?.trim()) {
    case 'application/x-www-form-urlencoded':
      return Object.fromEntries(new URLSearchParams(body.toString()))
    case 'application/json': {
      const parsed = parseJson(body)
      if ('value' in parsed) return parsed.value
      throw new RegistryError('BAD_REQUEST', { message: 'expected a JSON object in UTF-8' })
    }
    default:
      throw new RegistryError('BAD_REQUEST', {
        message: 'expected a body in application/json or application/x-www-form-urlencoded',
      })
  }
}
