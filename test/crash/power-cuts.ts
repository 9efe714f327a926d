import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'
import { clientsOf } from './clients.ts'
import { Disk, readRecord, type Loss, type Recorded } from './disk.ts'
import { Journal } from './journal.ts'
import { Origin } from './origin.ts'
import { randomNumbers } from './random-numbers.ts'
import { steps } from './steps.ts'
import { verify } from './verify.ts'
import { startVictim } from './victim.ts'

export interface PowerCutOptions {
  /** How often every step is done, in some order. */
  readonly rounds: number
  readonly cuts: number
  readonly seed: number
  readonly env?: Readonly<Record<string, string>>
  readonly said?: (line: string) => void
  readonly untilProblem?: boolean
}

export interface PowerCutReport {
  /** How many file operations were recorded. */
  readonly operations: number
  readonly cuts: number
  readonly problems: readonly string[]
}

interface Recording {
  readonly entries: readonly Recorded[]
  readonly journal: Journal
  /** What was claimed from this position of the record on. */
  readonly claims: readonly { readonly position: number; readonly claims: ReturnType<Journal['snapshot']> }[]
}

/**
 * Records one life of a registry from its first start, then has the power cut at points of it: what had not been synced is lost,
 * all of it or a part. The registry is started on what is left, and compared with what had been acknowledged until then.
 */
export async function powerCuts(options: PowerCutOptions): Promise<PowerCutReport> {
  await using temporary = await temporaryDirectory()
  const random = randomNumbers(options.seed)
  await using origin = await Origin.start()
  const recording = await recordLife(temporary.path, options, random, origin)
  const problems: string[] = []
  const directory = join(temporary.path, 'cut')
  const disk = new Disk()
  let done = 0
  let cuts = 0
  for (; cuts < options.cuts && !(options.untilProblem && problems.length > 0); cuts++) {
    const at = cutAt(recording.entries, cuts, options.cuts)
    // Every other time all is lost that can be.
    const loss: Loss = { survives: cuts % 2 === 0 ? () => false : () => random() < 0.5 }
    for (; done <= at; done++) disk.do(entryAt(recording.entries, done))
    await disk.writeAfterPowerCut(directory, loss)
    // What came in of a blob may be damaged, which shows when it is whole: that pull breaks off, and begins anew.
    const { problems: found } = await verify(directory, journalAt(recording, at), {
      origin,
      tries: 2,
      giveUp: random() < 0.3,
    })
    await rm(directory, { recursive: true })
    const line = `power cut after operation ${at + 1}, ${describe(entryAt(recording.entries, at))}`
    problems.push(...found.map((problem) => `${line}: ${problem}`))
    options.said?.([line, ...found].join('\n  '))
  }
  return { operations: recording.entries.length, cuts, problems }
}

async function recordLife(
  scratch: string,
  { rounds, env = {} }: PowerCutOptions,
  random: () => number,
  origin: Origin,
): Promise<Recording> {
  const dataDirectory = join(scratch, 'data')
  await mkdir(dataDirectory)
  const journal = new Journal()
  const claims = [{ position: 0, claims: journal.snapshot() }]
  const { remote } = origin
  await using victim = await startVictim({ dataDirectory, scratch, grace: 'none', record: true, env, remote })
  const said = () => void claims.push({ position: victim.files.position, claims: journal.snapshot() })
  const clients = clientsOf(victim.client, { journal, origin, random, said })
  for (let round = 0; round < rounds; round++)
    for (const { prepare } of steps.toSorted(() => random() - 0.5)) await (await prepare(clients))?.()
  return { entries: readRecord(victim.files.record()), journal, claims }
}

/** What was claimed when this operation had been recorded. */
function journalAt({ entries, journal, claims }: Recording, index: number): Journal {
  const { position } = entryAt(entries, index)
  const known = claims.findLast((claim) => claim.position <= position)
  if (!known) throw new Error('nothing is known of the beginning')
  return journal.as(known.claims)
}

/** Spread evenly over the life. */
function cutAt(entries: readonly unknown[], cuts: number, of: number): number {
  return Math.floor(((cuts + 1) * (entries.length - 1)) / of)
}

function describe({ operation, kind, path }: Recorded): string {
  return `${operation} of ${kind} ${path}`.trimEnd()
}

function entryAt(entries: readonly Recorded[], index: number): Recorded {
  const entry = entries[index]
  if (!entry) throw new Error(`only ${entries.length} operations were recorded`)
  return entry
}
