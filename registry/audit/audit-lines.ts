import { isDigest } from '../domain/digest.ts'
import { isObject } from '../domain/json.ts'
import { isImageName, isRepositoryKey, isTag } from '../domain/names.ts'
import { auditTypes, type AuditEntry, type AuditType } from './audit-log.ts'

/** Of each field, in UTF-8: clients choose much of what is recorded. */
const maxFieldBytes = 1024
const ellipsis = '…'
/** What a terminal would act on, or show in another order: names are whatever somebody sends. */
const unprintable = /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g

/** One line of JSON, without its end: the time first, then what there is to say. */
export function formatLine({ at, tags, ...event }: AuditEntry): string {
  const line = JSON.stringify({
    at: at.toISOString(),
    type: event.type,
    by: cut(event.by),
    with: cut(event.with),
    address: cut(event.address),
    requestId: cut(event.requestId),
    repository: cut(event.repository),
    image: cut(event.image),
    tags: tags?.map(cut),
    digest: cut(event.digest),
    action: cut(event.action),
    subject: cut(event.subject),
    reason: cut(event.reason),
    times: event.times,
  })
  return line.replaceAll(unprintable, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** Undefined for what is no event: a line that was torn, or one of somebody else's. */
export function parseLine(line: string): AuditEntry | undefined {
  const value = readJson(line)
  if (!isObject(value)) return undefined
  const at = new Date(text(value.at) ?? NaN)
  const type = textThat(isAuditType, value.type)
  if (Number.isNaN(at.getTime()) || type === undefined) return undefined
  return {
    at,
    type,
    by: text(value.by),
    with: text(value.with),
    address: text(value.address),
    requestId: text(value.requestId),
    repository: textThat(isRepositoryKey, value.repository),
    image: textThat(isImageName, value.image),
    tags: Array.isArray(value.tags) ? value.tags.map(text).filter((tag) => tag !== undefined && isTag(tag)) : undefined,
    digest: textThat(isDigest, value.digest),
    action: text(value.action),
    subject: text(value.subject),
    reason: text(value.reason),
    times: count(value.times),
  }
}

/** As it is recorded: a longer one ends with an ellipsis. */
export function cut(text: string): string
export function cut(text: string | undefined): string | undefined
export function cut(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const bytes = Buffer.from(text.slice(0, maxFieldBytes + 1))
  if (bytes.length <= maxFieldBytes) return text.toWellFormed()
  // As a part of a stream, so that a character of which only the beginning fits is left out.
  const beginning = bytes.subarray(0, maxFieldBytes - Buffer.byteLength(ellipsis))
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(beginning, { stream: true }) + ellipsis
}

export function isAuditType(text: string): text is AuditType {
  return (auditTypes as readonly string[]).includes(text)
}

function readJson(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function count(value: unknown): number | undefined {
  return Number.isSafeInteger(value) && Number(value) > 0 ? Number(value) : undefined
}

function textThat<form extends string>(is: (text: string) => text is form, value: unknown): form | undefined {
  return typeof value === 'string' && is(value) ? value : undefined
}
