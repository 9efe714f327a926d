export type Login =
  | { readonly kind: 'password'; readonly username: string; readonly password: string }
  /** What a token server gives tokens for. */
  | { readonly kind: 'identity token'; readonly token: string }

/** RFC 7617. */
export function basicAuthorization({ username, password }: Extract<Login, { kind: 'password' }>): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}
