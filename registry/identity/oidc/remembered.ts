/** What was loaded last when that is younger than `maxAgeMs`; else it is loaded, once for all who ask meanwhile. */
export type Remembered<value> = (maxAgeMs: number) => Promise<value>

/** A failure is not remembered. */
export function remembered<value>(load: () => Promise<value>, now: () => number): Remembered<value> {
  let last: { readonly value: value; readonly at: number } | undefined
  let running: Promise<value> | undefined
  return async (maxAgeMs) => {
    if (last && now() - last.at < maxAgeMs) return last.value
    running ??= (async () => {
      try {
        const at = now()
        const value = await load()
        last = { value, at }
        return value
      } finally {
        running = undefined
      }
    })()
    return await running
  }
}
