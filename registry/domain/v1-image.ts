import { hash } from 'node:crypto'
import { digestOf, type Digest } from './digest.ts'
import { RegistryError } from './errors.ts'
import { isObject, parseJson } from './json.ts'
import type { Parsed } from './parsed.ts'

/** 64 hex digits; the first images of docker have 16. */
export type V1ImageId = Parsed<'V1ImageId'>

/** The JSON of an image of the V1 API: kept byte for byte, because checksums cover it. It counts as a manifest of this type. */
export const v1ImageType = 'application/vnd.docker.image.v1+json'

/** One step of a Dockerfile: its JSON, and elsewhere one layer. */
export interface V1Image {
  readonly id: V1ImageId
  /** Undefined for a base image. */
  readonly parent: V1ImageId | undefined
  readonly json: Uint8Array
  /** Of the JSON. */
  readonly digest: Digest
}

const form = /^(?:[0-9a-f]{16}|[0-9a-f]{64})$/

export function isV1ImageId(text: string): text is V1ImageId {
  return form.test(text)
}

/** Throws MANIFEST_INVALID, in the words of docker's own V1 registry where it has some. */
export function parseV1Image(json: Uint8Array): V1Image {
  const parsed = parseJson(json)
  if ('problem' in parsed || !isObject(parsed.value))
    throw invalid('Invalid JSON: expected the JSON object of an image')
  const { id, parent } = parsed.value
  if (id === undefined) throw invalid("Missing key `id' in JSON")
  if (typeof id !== 'string' || !isV1ImageId(id))
    throw invalid('JSON data contains invalid id: expected 64 hex digits, or 16')
  return { id, parent: parentOf(parent), json, digest: digestOf('sha256', hash('sha256', json, 'hex')) }
}

/** What made the image, and what it runs on. */
export interface V1About {
  readonly dockerVersion: string | undefined
  readonly architecture: string | undefined
  readonly os: string | undefined
}

/** As far as the JSON says it. */
export function readV1About(json: Uint8Array): V1About {
  const parsed = parseJson(json)
  const body = 'value' in parsed && isObject(parsed.value) ? parsed.value : {}
  const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined)
  return { dockerVersion: text(body.docker_version), architecture: text(body.architecture), os: text(body.os) }
}

export function imageUnknown(id: string): RegistryError {
  return new RegistryError('MANIFEST_UNKNOWN', { message: 'Image not found', detail: { id } })
}

function parentOf(parent: unknown): V1ImageId | undefined {
  if (parent === undefined || parent === null || parent === '') return undefined
  if (typeof parent === 'string' && isV1ImageId(parent)) return parent
  throw invalid('JSON data contains invalid parent: expected 64 hex digits, or 16')
}

function invalid(message: string): RegistryError {
  return new RegistryError('MANIFEST_INVALID', { message })
}
