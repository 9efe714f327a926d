import type { IncomingHttpHeaders } from 'node:http'
import type { Growth } from '../repositories/repository.ts'
import {
  accelAnswer,
  accelMapping,
  sendfileAnswer,
  sendfileByAccel,
  sendfileByPath,
  sendfileGrowing,
  sendfileLength,
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
  if (sendsByPath(trust, headers)) return { name: sendfileAnswer, value: path }
  if (offer === sendfileByAccel) return byMapping(path, headers[accelMapping])
  return undefined
}

/** The headers that have the peer send the file while it is being written; undefined unless this peer can and may be told of it. */
export function growingHeaders(
  { path, blobPath }: Growth,
  size: number,
  trust: Trust,
  headers: IncomingHttpHeaders,
): Readonly<Record<string, string>> | undefined {
  if (path === undefined || blobPath === undefined || !sendsByPath(trust, headers)) return undefined
  return { [sendfileAnswer]: blobPath, [sendfileGrowing]: path, [sendfileLength]: String(size) }
}

function sendsByPath(trust: Trust, headers: IncomingHttpHeaders): boolean {
  return trust === 'socket' && headers[sendfileOffer] === sendfileByPath
}

function byMapping(path: string, mapping: string | string[] | undefined) {
  if (typeof mapping !== 'string') return undefined
  const [directory = '', prefix = '', ...rest] = mapping.split('=').map((part) => part.trim())
  const wellFormed = /^\/.*\/$/.test(directory) && /^\/.*\/$/.test(prefix) && rest.length === 0
  if (!wellFormed || !path.startsWith(directory)) return undefined
  return { name: accelAnswer, value: prefix + path.slice(directory.length) }
}
