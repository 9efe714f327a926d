import { readdirSync, readlinkSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'

/** What this process has open (files, sockets, pipes), as Linux names it. */
export function openDescriptors(): readonly string[] {
  return readdirSync('/proc/self/fd').flatMap((number) => {
    try {
      return [readlinkSync(`/proc/self/fd/${number}`)]
    } catch {
      return [] // the one that listed them
    }
  })
}

/** Resolves when no more than `count` are open; rejects with what is left over after five seconds. */
export async function descriptorsFallTo(count: number, which: (name: string) => boolean = () => true): Promise<void> {
  const deadline = performance.now() + 5000
  for (;;) {
    const open = openDescriptors().filter(which)
    if (open.length <= count) return
    if (performance.now() > deadline) throw new Error(`left open: ${open.join(', ')}`)
    await setImmediate()
  }
}
