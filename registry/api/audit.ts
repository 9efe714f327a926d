import { auditParameters, isAuditParameter, parseAuditQuery, type AuditQuestion } from '../audit/audit-query.ts'
import { RegistryError } from '../domain/errors.ts'
import type { Context } from '../http/context.ts'
import type { Services } from '../http/services.ts'
import { requireAdmin } from './require.ts'

/** In one answer; who wants more asks again with the time of the oldest as `to`. */
const maxEntries = 1000

/** What people may have to answer for, the newest first, by an admin. */
export async function listAudit(ctx: Context, services: Services): Promise<void> {
  await requireAdmin(ctx, services)
  const entries = await services.audit.query(parseAuditQuery(questionOf(ctx), maxEntries))
  ctx.status = 200
  ctx.body = { entries }
}

/** A name that is not understood would be a filter that does not filter. */
function questionOf(ctx: Context): AuditQuestion {
  const question: Record<string, string> = {}
  for (const [name, value] of new URLSearchParams(ctx.state.target.query)) {
    if (!isAuditParameter(name)) throw badRequest(`unknown parameter "${name}": expected ${auditParameters.join(', ')}`)
    if (question[name] !== undefined) throw badRequest(`${name} is there twice: expected it once`)
    question[name] = value
  }
  return question
}

function badRequest(message: string): RegistryError {
  return new RegistryError('BAD_REQUEST', { message })
}
