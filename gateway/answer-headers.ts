import type { IncomingMessage } from 'node:http'
import { connectionOptions } from './connection-options.ts'
import { mapLinks, mapLocation, mapRealm, type UrlMapping } from './public-urls.ts'

type Treatment = 'keep' | 'drop' | ((value: string, mapping: UrlMapping) => string)

const treatments: ReadonlyMap<string, Treatment> = new Map<string, Treatment>([
  ['connection', 'drop'],
  ['keep-alive', 'drop'],
  ['proxy-authenticate', 'drop'],
  ['proxy-connection', 'drop'],
  ['te', 'drop'],
  ['trailer', 'drop'],
  ['transfer-encoding', 'drop'],
  ['upgrade', 'drop'],
  ['x-request-id', 'drop'],
  ['location', mapLocation],
  ['link', mapLinks],
  ['www-authenticate', mapRealm],
])
const fileSending = /^x-(?:sendfile|accel-)/
/** By name as upstream spells it. */
const remembered = new Map<string, Treatment>()
const maxRemembered = 1000

/**
 * What of an upstream's headers the client sees, as name, value, name, value, …: in their order and spelling, nothing
 * hop-by-hop, nothing that is between upstream and gateway, and with URLs that hold where the client is.
 */
export function answerHeaders(
  { rawHeaders, headers: { connection } }: IncomingMessage,
  mapping: UrlMapping,
  leftOut?: ReadonlySet<string>,
): string[] {
  const headers: string[] = []
  const named = connectionOptions(connection)
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? ''
    const value = rawHeaders[index + 1] ?? ''
    const treatment = remembered.get(name) ?? treatmentOf(name)
    if (treatment === 'drop' || leftOut?.has(name.toLowerCase()) || named?.has(name.toLowerCase())) continue
    headers.push(name, typeof treatment === 'function' ? treatment(value, mapping) : value)
  }
  headers.push('X-Request-Id', mapping.arrival.id)
  return headers
}

function treatmentOf(name: string): Treatment {
  const lower = name.toLowerCase()
  const treatment = treatments.get(lower) ?? (fileSending.test(lower) ? 'drop' : 'keep')
  if (remembered.size >= maxRemembered) remembered.clear()
  remembered.set(name, treatment)
  return treatment
}
