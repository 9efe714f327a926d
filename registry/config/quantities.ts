import { z } from 'zod'
import { isDuration, milliseconds } from '../domain/duration.ts'
import { isSize } from '../domain/size.ts'

/** Timers take no longer one. */
export const maxPauseMs = 2 ** 31 - 1

/** Dates reach no further back than 270,000 years; a hundred are enough for everybody. */
export const maxDuration = '36500d'

/** What is no duration, or no size, is not looked at any further. */
export const duration = z
  .string()
  .refine(isDuration, { error: 'expected a duration: a number and ms, s, m, h or d, like 24h', abort: true })
  .refine(isShortEnough, `expected at most ${maxDuration}`)
export const size = z.string().refine(isSize, {
  error: 'expected a size: a number and B, KiB, MiB, GiB or TiB, or KB, MB, GB or TB, like 10GiB',
  abort: true,
})

export function isNotZero(duration: string): boolean {
  return milliseconds(duration) > 0
}

export function isShortEnough(duration: string): boolean {
  return milliseconds(duration) <= milliseconds(maxDuration)
}
