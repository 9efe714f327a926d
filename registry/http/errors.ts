import type { Logger } from 'pino'
import { RegistryError, type ErrorCode } from '../domain/errors.ts'
import { errorBody } from '../../wire/error-body.ts'
import type { Context } from './context.ts'
import { answerEarly } from './request-body.ts'
import { requestId } from './request-id.ts'

interface Answer {
  readonly status: number
  /** The code on the wire, where ours is not one that clients know. */
  readonly as?: ErrorCode
  readonly retryAfterSeconds?: number
}

/** OCI distribution 1.1, "Error Codes"; the statuses are those that its endpoints ask for. */
export const answers: Readonly<Record<ErrorCode, Answer>> = {
  BLOB_UNKNOWN: { status: 404 },
  BLOB_UPLOAD_INVALID: { status: 416 },
  BLOB_UPLOAD_UNKNOWN: { status: 404 },
  DIGEST_INVALID: { status: 400 },
  MANIFEST_BLOB_UNKNOWN: { status: 404 },
  MANIFEST_INVALID: { status: 400 },
  MANIFEST_UNKNOWN: { status: 404 },
  NAME_INVALID: { status: 400 },
  NAME_UNKNOWN: { status: 404 },
  SIZE_INVALID: { status: 400 },
  UNAUTHORIZED: { status: 401 },
  DENIED: { status: 403 },
  UNSUPPORTED: { status: 405 },
  TOOMANYREQUESTS: { status: 429, retryAfterSeconds: 5 },
  MANIFEST_UNVERIFIED: { status: 400 },
  TAG_INVALID: { status: 400 },
  TAG_FIXED: { status: 403, as: 'DENIED' },
  TOO_MANY_TAGS: { status: 414, as: 'TAG_INVALID' },
  RANGE_INVALID: { status: 416 },
  PAGINATION_NUMBER_INVALID: { status: 400 },
  UNAVAILABLE: { status: 503, retryAfterSeconds: 5 },
  MANIFEST_TOO_LARGE: { status: 413, as: 'SIZE_INVALID' },
  STORAGE_FULL: { status: 507, as: 'UNAVAILABLE' },
  BAD_REQUEST: { status: 400, as: 'UNSUPPORTED' },
  PRECONDITION_FAILED: { status: 412, as: 'UNSUPPORTED' },
  CONFLICT: { status: 409, as: 'DENIED' },
}

/** The one place that renders errors. Headers that a handler has set before it threw stay: they belong to the answer. */
export function answerError(ctx: Context, error: unknown, log: Logger): void {
  // There is nobody to answer, and the stream that broke with the client is no failure of ours.
  if (ctx.req.socket.destroyed && error instanceof Error && brokeOff(error)) return
  if (!(error instanceof RegistryError)) {
    const id = requestId(ctx)
    log.error({ err: error, requestId: id, method: ctx.method, url: ctx.req.url }, 'request failed')
    return render(ctx, 500, 'UNKNOWN', 'internal error: the log of the registry says more', { requestId: id })
  }
  const { status, as = error.code, retryAfterSeconds: usual } = answers[error.code]
  const retryAfterSeconds = error.retryAfterSeconds ?? usual
  if (status >= 500) log.error({ err: error, requestId: requestId(ctx) }, error.message)
  if (retryAfterSeconds !== undefined) ctx.set('Retry-After', String(retryAfterSeconds))
  render(ctx, status, as, error.message, error.detail)
}

function render(ctx: Context, status: number, code: string, message: string, detail: unknown): void {
  answerEarly(ctx)
  ctx.status = status
  ctx.set('Content-Type', 'application/json')
  if (ctx.method === 'HEAD') return
  // Docker looks there for words that it knows: 1.5, registry/session.go.
  ctx.body = JSON.stringify(ctx.state.api === 'v1' ? { error: message } : errorBody(code, message, detail))
}

const endOfConnection = new Set([
  'ECONNRESET',
  'EPIPE',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_STREAM_DESTROYED',
  'HPE_INVALID_EOF_STATE', // within a chunked body
])

/** Whether the client went away in the middle. */
export function brokeOff(error: Error): boolean {
  return 'code' in error && typeof error.code === 'string' && endOfConnection.has(error.code)
}
