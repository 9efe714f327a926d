import { matchesGlob } from '../../registry/domain/glob.ts'
import { formatSize } from '../../registry/domain/size.ts'
import { Turns } from '../../registry/repositories/upstream/turns.ts'
import type { Compared, Copied, Copier, Task } from './copier.ts'
import { plan, type PlanOptions } from './plan.ts'

/** What has become of one image. */
export type Line = { readonly from: string; readonly to?: string } & (
  | Copied
  /** A dry run does no more. */
  | Compared
  | { readonly kind: 'failed'; readonly reason: string }
)

export type Totals = Record<'copied' | 'there' | 'failed' | 'toCopy', number> & { bytes: number }

export interface Copying extends Omit<PlanOptions, 'takes'> {
  readonly copier: Copier
  /** Images at a time. */
  readonly jobs: number
  readonly dryRun: 'dry run' | undefined
  readonly tell: (line: Line) => void
}

/** Copies all that is wanted; what fails is told, and the rest goes on. */
export async function copyAll(options: Copying): Promise<Totals> {
  const totals: Totals = { copied: 0, there: 0, failed: 0, toCopy: 0, bytes: 0 }
  const tell = (line: Line) => {
    count(totals, line)
    options.tell(line)
  }
  const turns = new Turns(options.jobs)
  const running = new Set<Promise<void>>()
  let isFirst = true
  for await (const planned of whatThereIs(options)) {
    if ('problem' in planned) {
      tell({ kind: 'failed', from: planned.of, reason: planned.problem })
      continue
    }
    // Wrong credentials are told once, and not tried with each image until the account is locked.
    if (isFirst && !options.dryRun) await options.copier.login(planned.to.image)
    isFirst = false
    const end = await turns.take()
    const work = one(planned, options)
      .then(tell)
      .finally(() => {
        running.delete(work)
        end()
      })
    running.add(work)
  }
  await Promise.all(running)
  return totals
}

async function* whatThereIs(options: Copying) {
  yield* plan({ ...options, takes: (tag) => options.copier.takes(tag) })
  const { source, imageGlobs } = options
  const isWanted = (of: string) =>
    imageGlobs.length === 0 || imageGlobs.some((glob) => matchesGlob(glob, withoutTag(of)))
  yield* (source.problems ?? []).filter(({ of }) => isWanted(of))
}

function withoutTag(name: string): string {
  return name.replace(/:[^:/]*$/, '')
}

async function one(task: Task, { copier, dryRun }: Copying): Promise<Line> {
  const { reference } = task.from
  const from = `${task.from.image}${'tag' in reference ? `:${reference.tag}` : `@${reference.digest}`}`
  const to = `${task.to.image}${task.to.tag === undefined ? '' : `:${task.to.tag}`}`
  try {
    return { from, to, ...(dryRun ? await copier.compare(task) : await copier.copy(task)) }
  } catch (error) {
    return { from, to, kind: 'failed', reason: error instanceof Error ? error.message : String(error) }
  }
}

function count(totals: Totals, line: Line): void {
  switch (line.kind) {
    case 'copied':
      totals.copied += 1
      totals.bytes += line.sum.bytes
      return
    case 'there':
      totals.there += 1
      return
    case 'failed':
      totals.failed += 1
      return
    case 'to copy':
    case 'to compare':
      totals.toCopy += 1
  }
}

/** For people. */
export function describe(line: Line): string {
  const name = line.to === undefined || line.to === line.from ? line.from : `${line.from} -> ${line.to}`
  switch (line.kind) {
    case 'copied': {
      const { blobs, bytes, mounted } = line.sum
      const shared = mounted > 0 ? `, ${mounted} mounted` : ''
      return `${name}: copied (${blobs} blobs sent, ${formatSize(bytes)}${shared})`
    }
    case 'there':
      return `${name}: already there`
    case 'failed':
      return `${name}: failed: ${line.reason}`
    case 'to copy':
      return `${name}: would be copied`
    case 'to compare':
      return `${name}: is there; whether it is the same, only copying tells`
  }
}

export function describeTotals({ copied, there, failed, toCopy, bytes }: Totals): string {
  const would = toCopy > 0 ? `${toCopy} would be copied, ` : ''
  return `${would}${copied} copied (${formatSize(bytes)}), ${there} already there, ${failed} failed`
}
