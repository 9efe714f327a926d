import { InvalidArgumentError } from 'commander'
import { isDuration, milliseconds } from '../registry/domain/duration.ts'
import { isEmail } from '../registry/domain/email.ts'
import { maxLifeSeconds } from '../registry/identity/token-wish.ts'

/** For an option that may be there several times. */
export function each(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}

/** Throws for what is no address. */
export function email(text: string): string {
  if (isEmail(text)) return text
  throw new InvalidArgumentError('expected an address like alice@company.com')
}

/** In seconds. Throws for what is no life of a token. */
export function tokenLife(text: string): number | 'never' {
  if (text === 'never') return text
  const seconds = isDuration(text) ? Math.ceil(milliseconds(text) / 1000) : 0
  if (seconds > 0 && seconds <= maxLifeSeconds) return seconds
  throw new InvalidArgumentError('expected a duration like 30d or 12h, 36500d at most, or never')
}
