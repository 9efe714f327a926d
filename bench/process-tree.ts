import { readdirSync, readFileSync } from 'node:fs'

const ticksPerSecond = 100 // USER_HZ: fixed for /proc on Linux, whatever the kernel's own HZ

export interface Usage {
  readonly cpuSeconds: number
  readonly residentMiB: number
}

/** CPU time so far and resident memory of processes and everything they have started. Linux only. */
export function usageOf(pids: readonly number[]): Usage {
  const usages = pids.flatMap((pid) => tree(pid)).flatMap((pid) => usage(pid) ?? [])
  return {
    cpuSeconds: sum(usages.map(({ cpuSeconds }) => cpuSeconds)),
    residentMiB: sum(usages.map(({ residentMiB }) => residentMiB)),
  }
}

function tree(root: number): readonly number[] {
  const children = new Map<number, number[]>()
  for (const name of readdirSync('/proc')) {
    const stat = /^\d+$/.test(name) ? fieldsOf(Number(name)) : undefined
    if (stat) children.set(stat.parent, [...(children.get(stat.parent) ?? []), Number(name)])
  }
  const below = (pid: number): readonly number[] => [pid, ...(children.get(pid) ?? []).flatMap(below)]
  return below(root)
}

function usage(pid: number): Usage | undefined {
  const stat = fieldsOf(pid)
  return stat && { cpuSeconds: stat.ticks / ticksPerSecond, residentMiB: residentMiB(pid) }
}

/** proc(5): the command's name may hold blanks, so the fields are counted from behind its closing bracket. */
function fieldsOf(pid: number): { readonly parent: number; readonly ticks: number } | undefined {
  const text = readIfThere(`/proc/${pid}/stat`)
  if (text === undefined) return undefined
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { parent: Number(fields[1]), ticks: sum(fields.slice(11, 15).map(Number)) }
}

/** What is its own: shared pages of the runtime's binary are not what a load adds. */
function residentMiB(pid: number): number {
  const anonymous = /^RssAnon:\s+(\d+) kB/m.exec(readIfThere(`/proc/${pid}/status`) ?? '')?.[1]
  return Number(anonymous ?? 0) / 1024
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined // it has ended since it was listed
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
