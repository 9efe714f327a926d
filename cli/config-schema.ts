import { z } from 'zod'
import { gatewaySection } from '../gateway/config.ts'
import { registrySection } from '../registry/config.ts'

/** The whole configuration file, `caisson.yaml`. */
export const configSchema = z.strictObject({
  gateway: gatewaySection.prefault({}).describe('The TLS gateway: hosts, ports, certificates.'),
  registry: registrySection.prefault({}).describe('The registry: repositories, storage, access.'),
})

/** The part of JSON Schema (draft 2020-12) that our schema turns into. */
export interface JsonSchema {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly pattern?: string
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: JsonSchema | boolean
  readonly items?: JsonSchema
  readonly anyOf?: readonly JsonSchema[]
  readonly oneOf?: readonly JsonSchema[]
  readonly allOf?: readonly JsonSchema[]
}

/** As JSON Schema, for editors and for the reference in docs/. */
export function configJsonSchema(): JsonSchema {
  return z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' }) as JsonSchema
}

/** The keys that may stand in the mapping at `path`; empty where any may. */
export function knownKeys(path: readonly PropertyKey[]): readonly string[] {
  let places: readonly JsonSchema[] = [configJsonSchema()]
  for (const step of path) places = places.flatMap(variants).flatMap((place) => child(place, step))
  return [...new Set(places.flatMap(variants).flatMap((place) => Object.keys(place.properties ?? {})))]
}

function variants(schema: JsonSchema): readonly JsonSchema[] {
  const inner = [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])]
  return inner.length > 0 ? [schema, ...inner.flatMap(variants)] : [schema]
}

function child(schema: JsonSchema, step: PropertyKey): readonly JsonSchema[] {
  if (typeof step === 'number') return schema.items ? [schema.items] : []
  const property = schema.properties?.[String(step)]
  if (property) return [property]
  return typeof schema.additionalProperties === 'object' ? [schema.additionalProperties] : []
}
