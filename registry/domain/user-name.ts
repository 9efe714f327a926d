import { RegistryError } from './errors.ts'
import { anonymousName } from './permissions.ts'

const form = /^[a-z0-9][a-z0-9._@-]{0,63}$/i

/** Names of users, robots, groups and permission targets. `anonymous` is nobody's: it stands for everybody. */
export function isUserName(text: string): boolean {
  return form.test(text) && text !== anonymousName
}

/** For messages about what {@link isUserName} refuses. */
export const expectedName = 'at most 64 letters, digits, ".", "_", "-" and "@", beginning with a letter or digit'

/** `noun`: what it would name. Throws BAD_REQUEST. */
export function checkName(noun: string, name: string): void {
  if (isUserName(name)) return
  const message =
    name === anonymousName
      ? `${anonymousName} stands for everybody who has not logged in: nothing else has that name`
      : `"${name}" is not a ${noun} name: expected ${expectedName}`
  throw new RegistryError('BAD_REQUEST', { message })
}
