const form = /^[a-z0-9][a-z0-9._@-]{0,63}$/i
/** What those are called who are not logged in. */
const reserved = 'anonymous'

export const userNameForm = `at most 64 letters, digits, ".", "_", "-" and "@", beginning with a letter or digit, and not "${reserved}"`

export function isUserName(text: string): boolean {
  return form.test(text) && text.toLowerCase() !== reserved
}
