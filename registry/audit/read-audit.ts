import { open, type FileHandle } from 'node:fs/promises'
import { isMissing } from '../storage/durable-files.ts'
import { cut, parseLine } from './audit-lines.ts'
import type { AuditEntry, AuditQuery } from './audit-log.ts'
import { linesBackwards } from './lines-backwards.ts'
import { rotatedName, rotatedNumbers } from './rotated-files.ts'

/**
 * What the query asks for of `file` and those that were rotated, the newest first. Only reads, also while a registry writes and rotates.
 * Comes to its end at the first entry before `from`.
 */
export async function readAudit(file: string, query: AuditQuery): Promise<readonly AuditEntry[]> {
  const entries: AuditEntry[] = []
  const isWanted = wantedBy(query)
  for await (const entry of entriesBackwards(file)) {
    if (entries.length >= query.limit || (query.from && entry.at < query.from)) break
    if (isWanted(entry)) entries.push(entry)
  }
  return entries
}

function wantedBy({ to, types, by, repository, image }: AuditQuery): (entry: AuditEntry) => boolean {
  const name = cut(by) // as it would have been recorded
  return (entry) =>
    (to === undefined || entry.at < to) &&
    (types === undefined || types.includes(entry.type)) &&
    (name === undefined || entry.by === name) &&
    (repository === undefined || entry.repository === repository) &&
    (image === undefined || entry.image === image)
}

async function* entriesBackwards(file: string): AsyncGenerator<AuditEntry> {
  const read = new Set<string>()
  // Looked up each time: rotation goes on meanwhile, and moves files away from us.
  for (let number = 0; number <= ((await rotatedNumbers(file)).at(-1) ?? 0); number++) {
    await using opened = await openIfThere(rotatedName(file, number))
    if (!opened) continue
    const { dev, ino } = await opened.stat()
    if (read.has(`${dev}:${ino}`)) continue
    read.add(`${dev}:${ino}`)
    for await (const line of linesBackwards(opened)) {
      const entry = parseLine(line)
      if (entry) yield entry
    }
  }
}

async function openIfThere(file: string): Promise<FileHandle | undefined> {
  try {
    return await open(file)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}
