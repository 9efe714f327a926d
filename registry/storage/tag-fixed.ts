import { RegistryError } from '../domain/errors.ts'
import type { Tag } from '../domain/names.ts'

/** For a tag that may not be taken from the manifest that it is on. Who asked knows why. */
export function tagFixed(tag: Tag): RegistryError {
  return new RegistryError('TAG_FIXED', { detail: { tag } })
}
