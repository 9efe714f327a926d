/** Runs what it is given, at most `limit` at a time; the others wait in line. */
export function atMost(limit: number): <result>(work: () => Promise<result>) => Promise<result> {
  const waiting: (() => void)[] = []
  let running = 0
  return async (work) => {
    if (running >= limit) await new Promise<void>((start) => waiting.push(start))
    else running += 1
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next) next()
      else running -= 1
    }
  }
}
