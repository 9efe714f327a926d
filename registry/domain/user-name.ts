import { RegistryError } from './errors.ts'
import { anonymousName } from './permissions.ts'

const form = /^[a-z0-9][a-z0-9._@-]{0,63}$/i

/** For messages about what {@link isUserName} refuses. */
export const userNameForm = `at most 64 letters, digits, ".", "_", "-" and "@", beginning with a letter or digit, and not "${anonymousName}"`

/** Names of users, robots, groups and permission targets. `anonymous` is nobody's: it stands for everybody. */
export function isUserName(text: string): boolean {
  return form.test(text) && text.toLowerCase() !== anonymousName
}

/** `noun`: what it would name. Throws BAD_REQUEST. */
export function checkName(noun: string, name: string): void {
  if (isUserName(name)) return
  throw new RegistryError('BAD_REQUEST', { message: `"${name}" is not a ${noun} name: expected ${userNameForm}` })
}
