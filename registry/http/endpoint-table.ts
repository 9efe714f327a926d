import { RegistryError } from '../domain/errors.ts'
import type { Context } from './context.ts'

export type EndpointTable<kind, endpoint> = ReadonlyMap<kind, ReadonlyMap<string, endpoint>>

/** A row for GET is asked by HEAD too. */
export function tableOf<kind extends string, endpoint extends { readonly kind: kind; readonly method: string }>(
  rows: readonly endpoint[],
): EndpointTable<kind, endpoint> {
  const byKind = Map.groupBy(rows, ({ kind }) => kind)
  return new Map(
    [...byKind].map(([kind, ofKind]) => {
      const byMethod = new Map(ofKind.map((row) => [row.method, row]))
      const get = byMethod.get('GET')
      return [kind, get ? byMethod.set('HEAD', get) : byMethod]
    }),
  )
}

/** Throws UNSUPPORTED for a method that the kind of resource has no row for. */
export function endpointFor<kind, endpoint>(ctx: Context, table: EndpointTable<kind, endpoint>, kind: kind): endpoint {
  const ofKind = table.get(kind)
  const endpoint = ofKind?.get(ctx.method)
  if (endpoint) return endpoint
  // RFC 9110 §15.5.6: a 405 MUST say what is allowed.
  const allowed = [...(ofKind?.keys() ?? [])].join(', ')
  ctx.set('Allow', allowed)
  throw new RegistryError('UNSUPPORTED', { message: `${ctx.method} is not supported here: expected ${allowed}` })
}
