/** Of at most 254 characters (RFC 5321 §4.5.3.1.3, less the brackets). Whether mail arrives there is another question. */
export function isEmail(text: string): boolean {
  return text.length <= 254 && /^[^\s@]+@[^\s@]+$/.test(text)
}
