import { anonymousName } from './permissions.ts'

const form = /^[a-z0-9][a-z0-9._@-]{0,63}$/i

/** Names of users, robots, groups and permission targets. `anonymous` is nobody's: it stands for everybody. */
export function isUserName(text: string): boolean {
  return form.test(text) && text !== anonymousName
}
