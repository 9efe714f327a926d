import { z } from 'zod'
import type { RegistryClient } from './registry-client.ts'

/** What the REST API answered. */
export interface RestAnswer {
  readonly status: number
  /** Parsed when it is JSON, else text. */
  readonly body: unknown
  /** Of the error, when it is one. */
  readonly message: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

const failure = z.object({ errors: z.tuple([z.object({ message: z.string() })]) })

/** Asks `<context>/api/<path>` with `fields` as JSON. */
export async function rest(
  client: RegistryClient,
  method: string,
  path: string,
  fields?: object | string,
): Promise<RestAnswer> {
  const target = path.startsWith('access/') ? `/artifactory/${path}` : `/artifactory/api/${path}`
  const question =
    fields === undefined
      ? {}
      : {
          headers: { 'content-type': 'application/json' },
          body: typeof fields === 'string' ? fields : JSON.stringify(fields),
        }
  const answer = await client.ask(method, target, question)
  const isJson = String(answer.headers['content-type']).startsWith('application/json') && answer.body.length > 0
  const body = isJson ? answer.json() : answer.body.toString()
  const { status, headers } = answer
  return { status, headers, body, message: failure.safeParse(body).data?.errors[0].message ?? '' }
}

/** As an HTML form. */
export async function restForm(client: RegistryClient, path: string, fields: Record<string, string>) {
  const answer = await client.ask('POST', `/artifactory/api/${path}`, {
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(fields).toString(),
  })
  const text = answer.body.toString()
  const body: unknown = text.startsWith('{') ? JSON.parse(text) : text
  return { status: answer.status, body, message: failure.safeParse(body).data?.errors[0].message ?? '' }
}

/** What the audit log has of these types, the oldest first, as `by action subject`. */
export async function recorded(admin: RegistryClient, types: string): Promise<readonly string[]> {
  const { body } = await rest(admin, 'GET', `security/audit?type=${types}&limit=1000`)
  const entry = z.object({ by: z.string(), action: z.string().optional(), subject: z.string().optional() })
  const { entries } = z.object({ entries: z.array(entry) }).parse(body)
  return entries.map(({ by, action, subject }) => `${by} ${action} ${subject}`).toReversed()
}
