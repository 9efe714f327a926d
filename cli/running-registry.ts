import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import { parseListenAddress } from '../registry/http/listen-address.ts'
import type { CaissonConfig } from './config.ts'

interface Question {
  readonly method: 'GET' | 'POST'
  /** Below the context, like `/api/docker/docker-local/pull-through`. */
  readonly path: string
  readonly body?: object
}

/** Asks the REST API of the registry that runs on this machine. Throws an error fit to be shown when none does. */
export async function askRegistry(
  { registry }: CaissonConfig,
  token: string,
  { method, path, body }: Question,
): Promise<IncomingMessage> {
  const address = parseListenAddress(registry.listen[0] ?? '')
  const sent = request({
    ...(address.kind === 'unix' ? { socketPath: address.path } : { host: address.address, port: address.port }),
    method,
    path: `${registry.context}${path}`,
    headers: { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) },
  })
  sent.end(body && JSON.stringify(body))
  try {
    const [answer] = (await once(sent, 'response')) as [IncomingMessage]
    return answer
  } catch (cause) {
    const where = registry.listen[0] ?? 'registry.listen'
    throw new Error(`no registry answers on ${where}: start it, or name its configuration with --config`, { cause })
  }
}

/** What an answer that refuses says; the body itself when it is in no form of ours. */
export function messageOf(body: string): string {
  try {
    const { errors } = JSON.parse(body) as { readonly errors?: readonly { readonly message?: string }[] }
    return errors?.[0]?.message ?? body
  } catch {
    return body
  }
}
