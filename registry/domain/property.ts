import { RegistryError } from './errors.ts'
import type { Parsed } from './parsed.ts'

/** Of a property that somebody sets by hand. */
export type PropertyName = Parsed<'PropertyName'>
export type PropertyValue = Parsed<'PropertyValue'>

/** Something said of an image, a tag or a file, in Artifactory's names where it has them. */
export interface Property {
  readonly name: string
  /** Each once, in byte order. */
  readonly values: readonly string[]
}

/** What an image is, for people who search. */
export const descriptionProperty = parsePropertyName('docker.description')

/** As Artifactory has it; indexes of some databases end there too. */
const maxValueBytes = 2400

/** Throws BAD_REQUEST. */
export function parsePropertyName(text: string): PropertyName {
  if (!isName(text))
    throw invalid(
      `"${text}" is not the name of a property: expected at most 255 letters, digits, "_", "." and "-", beginning with a letter or "_"`,
    )
  if (isGiven(text))
    throw invalid(`the property ${text} says what the registry knows by itself, and is not set by hand`)
  return text
}

/** Throws BAD_REQUEST. */
export function parsePropertyValue(text: string): PropertyValue {
  if (isValue(text)) return text
  throw invalid(`a value of a property is too long: expected at most ${maxValueBytes} bytes`)
}

function isName(text: string): text is PropertyName {
  return /^[A-Za-z_][A-Za-z0-9_.-]{0,254}$/.test(text)
}

function isValue(text: string): text is PropertyValue {
  return Buffer.byteLength(text) <= maxValueBytes
}

/** What the storage view derives. */
function isGiven(name: string): boolean {
  return /^(?:sha256|docker\.(?:repoName|imageId|size|manifest|(?:manifest|tag|label)\..*))$/.test(name)
}

function invalid(message: string): RegistryError {
  return new RegistryError('BAD_REQUEST', { message })
}
