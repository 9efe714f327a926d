import { RegistryError } from '../domain/errors.ts'
import { isImageName, isRepositoryKey } from '../domain/names.ts'
import { isAuditType } from './audit-lines.ts'
import { auditTypes, type AuditQuery, type AuditType } from './audit-log.ts'

/** What people ask by, at the REST API and on the command line. */
export const auditParameters = ['from', 'to', 'type', 'by', 'repository', 'image', 'limit'] as const
export type AuditParameter = (typeof auditParameters)[number]
export type AuditQuestion = Readonly<Partial<Record<AuditParameter, string>>>

const defaultLimit = 100
const date = /^\d{4}-\d\d-\d\d/
/** Without a zone it would be the registry's, which whoever asks need not know. */
const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)$/

export function isAuditParameter(name: string): name is AuditParameter {
  return (auditParameters as readonly string[]).includes(name)
}

/** Throws BAD_REQUEST that says what is expected. */
export function parseAuditQuery(question: AuditQuestion, most: number): AuditQuery {
  const from = parse(question, 'from', parseTime, 'a time like 2026-11-24T20:31:47Z, or a date like 2026-11-24')
  const to = parse(question, 'to', parseTime, 'a time like 2026-11-24T20:31:47Z, or a date like 2026-11-24')
  if (from && to && from > to) throw new RegistryError('BAD_REQUEST', { message: 'from is later than to' })
  return {
    from,
    to,
    types: parse(question, 'type', parseTypes, `some of ${auditTypes.join(',')}`),
    by: parse(question, 'by', (text) => (text === '' ? undefined : text), 'the name of a user'),
    repository: parse(question, 'repository', thatIs(isRepositoryKey), 'a repository key'),
    image: parse(question, 'image', thatIs(isImageName), 'the name of an image, without the repository'),
    limit: parse(question, 'limit', parseLimit(most), `a number from 1 to ${most}`) ?? defaultLimit,
  }
}

/** Undefined when it is not asked by. */
function parse<value>(
  question: AuditQuestion,
  name: AuditParameter,
  read: (text: string) => value | undefined,
  expected: string,
): value | undefined {
  const text = question[name]
  if (text === undefined) return undefined
  const value = read(text)
  if (value !== undefined) return value
  throw new RegistryError('BAD_REQUEST', { message: `${name} is "${text}": expected ${expected}` })
}

/** A date is its beginning, in UTC. */
function parseTime(text: string): Date | undefined {
  const [day] = date.exec(text) ?? []
  if (day === undefined || (text !== day && !time.test(text))) return undefined
  const at = new Date(text)
  return Number.isNaN(at.getTime()) || !isInCalendar(day) ? undefined : at
}

/** The 30th of February would be read as a day of March. */
function isInCalendar(day: string): boolean {
  const read = new Date(day)
  return !Number.isNaN(read.getTime()) && read.toISOString().startsWith(day)
}

function parseTypes(text: string): readonly AuditType[] | undefined {
  const types = text.split(',').filter(isAuditType)
  return types.length === text.split(',').length ? types : undefined
}

function parseLimit(most: number): (text: string) => number | undefined {
  return (text) => (/^[1-9]\d{0,8}$/.test(text) && Number(text) <= most ? Number(text) : undefined)
}

function thatIs<form extends string>(is: (text: string) => text is form): (text: string) => form | undefined {
  return (text) => (is(text) ? text : undefined)
}
