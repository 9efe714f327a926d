import { RegistryError } from '../domain/errors.ts'
import type { Tag } from '../domain/names.ts'

/** For a tag that may not be taken from the manifest that it is on. */
export function tagFixed(tag: Tag): RegistryError {
  const message = `the tag ${tag} is there already: who moves or removes it needs the right to delete`
  return new RegistryError('TAG_FIXED', { message, detail: { tag } })
}
