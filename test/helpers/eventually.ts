import { setTimeout as pause } from 'node:timers/promises'

/** Resolves when `holds` does; rejects when that takes longer than anything should. */
export async function eventually(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 1000; attempt++) {
    if (await holds()) return
    await pause(10)
  }
  throw new Error(`it has not come to pass: ${what}`)
}
