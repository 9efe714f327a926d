import { RegistryError } from '../../domain/errors.ts'

/** It goes into a cookie, which browsers cut off at 4 KiB. */
const maxLength = 1024
const localPath = /^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/

/** A path of this registry to send a browser to. Throws BAD_REQUEST for what could lead elsewhere. */
export function parseReturnTo(text: string): string {
  const path = text.replace(/[?#].*$/s, '')
  if (text.length <= maxLength && localPath.test(text) && !path.includes('//')) return text
  throw new RegistryError('BAD_REQUEST', {
    message: `returnTo: expected a path on this host that starts with one "/", at most ${maxLength} characters, percent-encoded`,
  })
}
