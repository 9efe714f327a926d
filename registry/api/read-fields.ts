import { z } from 'zod'
import { RegistryError } from '../domain/errors.ts'
import { isObject, parseJson } from '../domain/json.ts'
import { suggestion } from '../domain/nearest.ts'
import type { Context } from '../http/context.ts'
import { readBody } from '../http/request-body.ts'
import { readForm } from '../http/request-form.ts'

/** A group of some 20,000 members. */
const maxJsonBytes = 1024 * 1024

/**
 * The fields of a JSON object; `null` says as much as nothing. Throws BAD_REQUEST that names the field, and nothing of what was sent: it may
 * be a password. Another content type is refused, because other sites' pages may make a browser send it.
 */
export async function readJson<form extends z.ZodType>(ctx: Context, form: form): Promise<z.output<form>> {
  if (!isJson(ctx)) throw badRequest('expected a body with Content-Type: application/json')
  return check(await parsedBody(ctx), form)
}

/** The same of a JSON object or an HTML form. */
export async function readFields<form extends z.ZodType>(ctx: Context, form: form): Promise<z.output<form>> {
  const sent = await readForm(ctx)
  if (sent) return check(Object.fromEntries(sent), form)
  if (isJson(ctx)) return readJson(ctx, form)
  throw badRequest('expected a body in application/json or application/x-www-form-urlencoded')
}

/** Artifactory's clients also send `application/vnd.org.jfrog.artifactory.security.User+json`. */
function isJson(ctx: Context): boolean {
  return /^application\/(?:[a-z0-9.-]+\+)?json(?: *;|$)/i.test(ctx.req.headers['content-type'] ?? '')
}

async function parsedBody(ctx: Context): Promise<unknown> {
  const body = await readBody(ctx, maxJsonBytes, () => badRequest(`the body is larger than ${maxJsonBytes} bytes`))
  const parsed = parseJson(body)
  if ('problem' in parsed || !isObject(parsed.value)) throw badRequest('expected a JSON object in UTF-8')
  return Object.fromEntries(Object.entries(parsed.value).filter(([, value]) => value !== null))
}

function check<form extends z.ZodType>(fields: unknown, form: form): z.output<form> {
  const { success, data, error } = form.safeParse(fields)
  if (success) return data
  const [issue] = error.issues
  throw badRequest(issue ? problemOf(issue, form) : 'the fields are not valid')
}

function problemOf(issue: z.core.$ZodIssue, form: z.ZodType): string {
  const path = issue.path.map(String)
  const at = path.length === 0 ? '' : `${path.join('.')}: `
  switch (issue.code) {
    case 'unrecognized_keys': {
      const [key = ''] = issue.keys
      return `unknown field "${[...path, key].join('.')}"${suggestion(key, fieldsAt(form, path))}`
    }
    case 'invalid_key':
      return `${at}${issue.issues[0]?.message ?? issue.message}`
    default:
      return `${at}${issue.message}`
  }
}

function fieldsAt(form: z.core.$ZodType, [step, ...rest]: readonly string[]): readonly string[] {
  if (form instanceof z.ZodOptional || form instanceof z.ZodNullable || form instanceof z.ZodPrefault)
    return fieldsAt(form.unwrap(), step === undefined ? [] : [step, ...rest])
  if (!(form instanceof z.ZodObject)) return []
  const shape: Readonly<Record<string, z.core.$ZodType>> = form.shape
  if (step === undefined) return Object.keys(shape)
  const field = shape[step]
  return field ? fieldsAt(field, rest) : []
}

function badRequest(message: string): RegistryError {
  return new RegistryError('BAD_REQUEST', { message })
}
