import { readdir, readFile, writeFile } from 'node:fs/promises'

/** Resident memory of a process, in bytes. */
export interface Memory {
  readonly name: string
  readonly now: number
  /** The most it has been since it started, or since {@link watchMemory}. */
  readonly peak: number
}

/** From now on the kernel counts the peak of each of these processes anew; resolves with what they take now. */
export async function watchMemory(pids: readonly number[]): Promise<ReadonlyMap<number, Memory>> {
  for (const pid of pids) await writeFile(`/proc/${pid}/clear_refs`, '5')
  return memoryOf(pids)
}

export async function memoryOf(pids: readonly number[]): Promise<ReadonlyMap<number, Memory>> {
  return new Map(await Promise.all(pids.map(async (pid) => [pid, await readMemory(pid)] as const)))
}

/** The process and all that descend from it. */
export async function familyOf(pid: number): Promise<readonly number[]> {
  const threads = await readdir(`/proc/${pid}/task`)
  const lists = await Promise.all(
    threads.map(async (thread) => readFile(`/proc/${pid}/task/${thread}/children`, 'utf8')),
  )
  const children = lists.join(' ').split(' ').filter(Boolean).map(Number)
  return [pid, ...(await Promise.all(children.map(familyOf))).flat()]
}

async function readMemory(pid: number): Promise<Memory> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const field = (name: string): string => new RegExp(`^${name}:\\s+(.*)$`, 'm').exec(status)?.[1] ?? ''
  const bytes = (name: string): number => Number.parseInt(field(name), 10) * 1024
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8')
  return { name: commandLine.replaceAll('\0', ' ').trim(), now: bytes('VmRSS'), peak: bytes('VmHWM') }
}
