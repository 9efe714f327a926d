import type { IncomingHttpHeaders } from 'node:http'
import {
  accelAnswer,
  accelMapping,
  sendfileAnswer,
  sendfileByAccel,
  sendfileByPath,
  sendfileOffer,
} from '../../wire/sendfile.ts'
import type { Trust } from './peers.ts'

/** The header that has the peer send the file itself; undefined unless this peer offers to and may be told of it. */
export function sendfileHeader(
  path: string,
  trust: Trust,
  headers: IncomingHttpHeaders,
): { readonly name: string; readonly value: string } | undefined {
  const offer = headers[sendfileOffer]
  if (offer === undefined || trust === 'none') return undefined
  if (offer === sendfileByPath && trust === 'socket') return { name: sendfileAnswer, value: path }
  if (offer === sendfileByAccel) return byMapping(path, headers[accelMapping])
  return undefined
}

function byMapping(path: string, mapping: string | string[] | undefined) {
  if (typeof mapping !== 'string') return undefined
  const [directory = '', prefix = '', ...rest] = mapping.split('=').map((part) => part.trim())
  const wellFormed = /^\/.*\/$/.test(directory) && /^\/.*\/$/.test(prefix) && rest.length === 0
  if (!wellFormed || !path.startsWith(directory)) return undefined
  return { name: accelAnswer, value: prefix + path.slice(directory.length) }
}
