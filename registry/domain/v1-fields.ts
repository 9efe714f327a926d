import { RegistryError } from './errors.ts'
import { objectOf, quoted, rawEntries, rawItems, rawMembers, sortedObject } from './raw-json.ts'

/**
 * A type of docker's structs, as Go's encoding/json reads and writes it. A value is held as the JSON that Go would write for it. Throws
 * MANIFEST_INVALID for what Go cannot read.
 */
interface GoType {
  /** What is there when nothing is said. */
  readonly zero: string
  /** What a field with `omitempty` leaves out. */
  readonly empty: readonly string[]
  /** `before`: a name may stand twice, and in other cases of its letters. Go then reads the one over the other. */
  read(raw: string, before: string, where: string): string
}

type Field = readonly [name: string, type: GoType, option?: 'omitempty']

const text: GoType = {
  zero: '""',
  empty: ['""'],
  read: (raw, before, where) => {
    if (raw === 'null') return before
    if (!raw.startsWith('"')) throw unreadable(where, 'a string')
    return quoted(JSON.parse(raw) as string)
  },
}

const flag: GoType = {
  zero: 'false',
  empty: ['false'],
  read: (raw, before, where) => {
    if (raw === 'null') return before
    if (raw !== 'true' && raw !== 'false') throw unreadable(where, 'true or false')
    return raw
  },
}

const integer: GoType = {
  zero: '0',
  empty: ['0'],
  read: (raw, before, where) => {
    if (raw === 'null') return before
    const value = /^-?\d+$/.test(raw) ? BigInt(raw) : undefined
    if (value === undefined || BigInt.asIntN(64, value) !== value) throw unreadable(where, 'an integer of 64 bits')
    return String(value)
  },
}

const texts: GoType = {
  zero: 'null',
  empty: ['null', '[]'],
  read: (raw, _, where) => {
    if (raw === 'null') return raw
    if (!raw.startsWith('[')) throw unreadable(where, 'a list of strings')
    return `[${rawItems(raw)
      .map((item) => text.read(item, text.zero, where))
      .join(',')}]`
  },
}

/** A command, which the oldest versions wrote as one string. */
const words: GoType = {
  ...texts,
  read: (raw, before, where) =>
    raw.startsWith('"') ? `[${text.read(raw, text.zero, where)}]` : texts.read(raw, before, where),
}

/** `{}` for each of its members. */
const nothing: GoType = {
  zero: '{}',
  empty: [],
  read: (raw, before, where) => {
    if (raw !== 'null' && !raw.startsWith('{')) throw unreadable(where, 'an object')
    return before
  },
}

function mapOf(type: GoType): GoType {
  return {
    zero: 'null',
    empty: ['null', '{}'],
    read: (raw, before, where) => {
      if (raw === 'null') return raw
      if (!raw.startsWith('{')) throw unreadable(where, 'an object')
      const members = before === 'null' ? new Map<string, string>() : rawMembers(before)
      for (const [name, value] of rawEntries(raw))
        members.set(name.toWellFormed(), type.read(value, type.zero, `${where}.${name}`))
      return sortedObject(members)
    },
  }
}

function pointerTo(type: GoType): GoType {
  return {
    zero: 'null',
    empty: ['null'],
    read: (raw, before, where) =>
      raw === 'null' ? raw : type.read(raw, before === 'null' ? type.zero : before, where),
  }
}

function struct(fields: readonly Field[]): GoType {
  const write = (values: ReadonlyMap<string, string>) =>
    objectOf(
      fields.flatMap(([name, type, option]): readonly (readonly [string, string])[] => {
        const value = values.get(name) ?? type.zero
        return option === 'omitempty' && type.empty.includes(value) ? [] : [[name, value]]
      }),
    )
  const byName = new Map(fields.map((field) => [field[0], field]))
  const byFolded = new Map(fields.map((field) => [folded(field[0]), field]))
  return {
    zero: write(new Map()),
    empty: [],
    read: (raw, before, where) => {
      if (raw === 'null') return before
      if (!raw.startsWith('{')) throw unreadable(where, 'an object')
      const values = rawMembers(before)
      for (const [key, value] of rawEntries(raw)) {
        const [name, type] = byName.get(key) ?? byFolded.get(folded(key)) ?? []
        if (name !== undefined && type)
          values.set(name, type.read(value, values.get(name) ?? type.zero, where === '' ? name : `${where}.${name}`))
      }
      return write(values)
    },
  }
}

/** Go does not tell the cases of letters apart, and takes the long s for an s. */
function folded(name: string): string {
  return name.replaceAll('\u017f', 's').toLowerCase()
}

const timeForm = /^"(\d{4})-(\d\d)-(\d\d)T(\d{1,2}):(\d\d):(\d\d)(?:[.,](\d+))?(?:Z|([+-])(\d\d):(\d\d))"$/

/** RFC 3339 with up to nine digits of a second's fraction, in the zone in which it came. */
const time: GoType = {
  zero: '"0001-01-01T00:00:00Z"',
  empty: [],
  read: (raw, before, where) => {
    if (raw === 'null') return before
    const [, year = '', month = '', day = '', hour = '', minute = '', second = '', fraction = '', sign, ...offset] =
      timeForm.exec(raw) ?? []
    const zone = zoneOf(sign, offset.map(Number))
    const isTime = isDay(Number(year), Number(month), Number(day)) && Number(hour) < 24
    if (!isTime || Number(minute) > 59 || Number(second) > 59 || zone === undefined)
      throw unreadable(where, 'a time like 2006-01-02T15:04:05Z')
    const digits = fraction.slice(0, 9).replace(/0+$/, '')
    const clock = `${hour.padStart(2, '0')}:${minute}:${second}${digits && `.${digits}`}`
    return `"${year}-${month}-${day}T${clock}${zone}"`
  },
}

function isDay(year: number, month: number, day: number): boolean {
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  const days = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
  return days !== undefined && day >= 1 && day <= days
}

/** Undefined for one that Go reads and cannot write. */
function zoneOf(sign: string | undefined, [hours = 0, minutes = 0]: readonly number[]): string | undefined {
  const total = hours * 60 + minutes
  if (sign === undefined || total === 0) return 'Z'
  const parts = [Math.floor(total / 60), total % 60]
  return total < 24 * 60 ? sign + parts.map((part) => String(part).padStart(2, '0')).join(':') : undefined
}

/** moby 20.10, api/types/container/config.go. What it does not name is what the image loses: memory, CPU shares, port specifications. */
const containerConfig = struct([
  ['Hostname', text],
  ['Domainname', text],
  ['User', text],
  ['AttachStdin', flag],
  ['AttachStdout', flag],
  ['AttachStderr', flag],
  ['ExposedPorts', mapOf(nothing), 'omitempty'],
  ['Tty', flag],
  ['OpenStdin', flag],
  ['StdinOnce', flag],
  ['Env', texts],
  ['Cmd', words],
  [
    'Healthcheck',
    pointerTo(
      struct([
        ['Test', texts, 'omitempty'],
        ['Interval', integer, 'omitempty'],
        ['Timeout', integer, 'omitempty'],
        ['StartPeriod', integer, 'omitempty'],
        ['Retries', integer, 'omitempty'],
      ]),
    ),
    'omitempty',
  ],
  ['ArgsEscaped', flag, 'omitempty'],
  ['Image', text],
  ['Volumes', mapOf(nothing)],
  ['WorkingDir', text],
  ['Entrypoint', words],
  ['NetworkDisabled', flag, 'omitempty'],
  ['MacAddress', text, 'omitempty'],
  ['OnBuild', texts],
  ['Labels', mapOf(text)],
  ['StopSignal', text, 'omitempty'],
  ['StopTimeout', pointerTo(integer), 'omitempty'],
  ['Shell', words, 'omitempty'],
])

/** moby 20.10, image/image.go, `V1Image`. */
const v1Image = struct([
  ['id', text, 'omitempty'],
  ['parent', text, 'omitempty'],
  ['comment', text, 'omitempty'],
  ['created', time],
  ['container', text, 'omitempty'],
  ['container_config', containerConfig],
  ['docker_version', text, 'omitempty'],
  ['author', text, 'omitempty'],
  ['config', pointerTo(containerConfig), 'omitempty'],
  ['architecture', text, 'omitempty'],
  ['variant', text, 'omitempty'],
  ['os', text, 'omitempty'],
  ['Size', integer, 'omitempty'],
])

/** The fields that docker knows of a V1 image, as it writes them again. Throws MANIFEST_INVALID where one is not what docker expects. */
export function knownV1Fields(json: string): string {
  return v1Image.read(json.trimStart(), v1Image.zero, '')
}

function unreadable(where: string, expected: string): RegistryError {
  return new RegistryError('MANIFEST_INVALID', { message: `the JSON of the image: ${where}: expected ${expected}` })
}
