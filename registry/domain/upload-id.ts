import { randomUUID } from 'node:crypto'
import type { Parsed } from './parsed.ts'

/** A random name (UUID) that says nothing of the image. */
export type UploadId = Parsed<'UploadId'>

/** Strict, because the name becomes a file name. */
const form = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export function isUploadId(text: string): text is UploadId {
  return form.test(text)
}

export function newUploadId(): UploadId {
  const id: string = randomUUID()
  if (!isUploadId(id)) throw new Error('randomUUID gave no UUID')
  return id
}
