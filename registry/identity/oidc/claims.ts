import { isObject, type JsonObject } from '../../domain/json.ts'

/** The claim that is called `path`, or that lies there (`realm_access.roles`); undefined when there is none. */
export function claimAt(claims: JsonObject, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path]
  let place: unknown = claims
  for (const step of path.split('.')) {
    if (!isObject(place) || !Object.hasOwn(place, step)) return undefined
    place = place[step]
  }
  return place
}

/** A claim's values as text, whether it has one or a list of them; empty for what is neither. */
export function valuesAt(claims: JsonObject, path: string): readonly string[] {
  return [claimAt(claims, path)].flat().flatMap((value) => {
    if (typeof value === 'string') return [value]
    return typeof value === 'number' || typeof value === 'boolean' ? [String(value)] : []
  })
}
