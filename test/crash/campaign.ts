import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { RegistryClient } from '../helpers/registry-client.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'
import { clientsOf, type Clients } from './clients.ts'
import { copyFixture } from './first-schema.ts'
import {
  countOf,
  describePoint,
  type FileOperations,
  kinds,
  operations,
  type Counts,
  type Moment,
  type Point,
} from './file-operations.ts'
import { Journal } from './journal.ts'
import { Origin } from './origin.ts'
import { randomNumbers } from './random-numbers.ts'
import { steps, type Step } from './steps.ts'
import { Gone, images } from './traffic.ts'
import { noRests, verify, type OpenOptions, type Rests } from './verify.ts'
import { startVictim, type VictimOptions } from './victim.ts'

/** Not every point is reached every time; so many times the number of kills are tried at the most. */
const mostTries = 2

export interface CampaignOptions {
  /** That hit a process. */
  readonly kills: number
  readonly seed: number
  /** For the process that is killed; see helpers/mutation.ts. */
  readonly env?: Readonly<Record<string, string>>
  /** Called after each kill. */
  readonly said?: (line: string) => void
  /** Steps and starts to look at. Default: all. */
  readonly only?: readonly string[]
  /** Ends at the first problem, as for a product that is known to be broken. */
  readonly untilProblem?: boolean
}

export interface CampaignReport {
  /** How often a process was killed there, by `<step>: <point>`. */
  readonly points: ReadonlyMap<string, number>
  readonly kills: number
  readonly problems: readonly string[]
  readonly rests: Rests
}

/** What can be interrupted: a step of a client, or a start on what is there. */
type Situation =
  | { readonly kind: 'step'; readonly step: Step }
  | {
      readonly kind: 'start'
      readonly name: string
      readonly options: Partial<VictimOptions>
      readonly on: 'nothing' | 'first schema' | 'what is there'
    }

const situations: readonly Situation[] = [
  ...steps.map((step): Situation => ({ kind: 'step', step })),
  { kind: 'start', name: 'first start', on: 'nothing', options: {} },
  { kind: 'start', name: 'migration', on: 'first schema', options: {} },
  { kind: 'start', name: 'start', on: 'what is there', options: {} },
  { kind: 'start', name: 'start with abandoned uploads', on: 'what is there', options: { abandonedUploads: '1ms' } },
]

/**
 * Kills registries at points of their work, starts them again on what they left and compares it with what their clients were
 * told. Which operations a step has is learnt by doing it once undisturbed; from then on the points that were hit least come next.
 */
export async function campaign(options: CampaignOptions): Promise<CampaignReport> {
  await using temporary = await temporaryDirectory()
  await using origin = await Origin.start()
  const running = new Campaign(temporary.path, options, origin)
  await running.learn()
  for (let tries = 1; running.report.kills < options.kills && tries <= options.kills * mostTries; tries++) {
    const line = await running.kill()
    options.said?.(`${running.report.kills} ${line}`)
    if (options.untilProblem && running.report.problems.length > 0) break
  }
  return running.report
}

class Campaign {
  readonly #scratch: string
  readonly #options: CampaignOptions
  readonly #origin: Origin
  readonly #random: () => number
  readonly #points = new Map<
    string,
    { readonly situation: Situation; readonly point: Point; hits: number; tries: number }
  >()
  readonly #problems: string[] = []
  #journal = new Journal()
  #directories = 0
  #kills = 0
  #rests = noRests

  constructor(scratch: string, options: CampaignOptions, origin: Origin) {
    this.#origin = origin
    this.#scratch = scratch
    this.#options = options
    this.#random = randomNumbers(options.seed)
  }

  get report(): CampaignReport {
    const hit = [...this.#points]
      .filter(([, { hits }]) => hits > 0)
      .map(([name, { hits }]): [string, number] => [name, hits])
    return { points: new Map(hit), kills: this.#kills, problems: this.#problems, rests: this.#rests }
  }

  async learn(): Promise<void> {
    const wanted = situations.filter((situation) => this.#options.only?.includes(nameOf(situation)) ?? true)
    for (const situation of wanted) if (situation.kind === 'start') await this.#learnStart(situation)
    await using victim = await this.#start({ dataDirectory: this.#dataDirectory, grace: 'none' })
    const clients = this.#clients(victim.client)
    await clients.traffic.collectGarbage()
    for (const situation of wanted)
      if (situation.kind === 'step') await this.#learnStep(situation, clients, victim.files)
  }

  async #learnStart(situation: Extract<Situation, { kind: 'start' }>): Promise<void> {
    const { dataDirectory } = await this.#before(situation)
    await using victim = await this.#start({ dataDirectory, ...situation.options })
    await this.#untilHit(victim)
    this.#add(situation, new Map(), victim.files.counts())
  }

  /** Again and again: the first times make directories, and not every time has everything. */
  async #learnStep(situation: Extract<Situation, { kind: 'step' }>, clients: Clients, files: FileOperations) {
    for (let time = 0; time < 3; time++) {
      const act = await situation.step.prepare(clients)
      const before = files.counts()
      await act?.()
      this.#add(situation, before, files.counts())
    }
  }

  #add(situation: Situation, before: Counts, after: Counts): void {
    for (const operation of operations)
      for (const kind of kinds) {
        const times = countOf(after, { operation, kind }) - countOf(before, { operation, kind })
        const moments: Moment[] = operation === 'write' ? ['before', 'in the middle of', 'after'] : ['before', 'after']
        for (const [which, nth] of chosenOf(times))
          for (const moment of moments) {
            const point = { moment, operation, kind, nth }
            const name = `${nameOf(situation)}: ${describePoint(point)}${which}`
            if (!this.#points.has(name)) this.#points.set(name, { situation, point, hits: 0, tries: 0 })
          }
      }
  }

  async kill(): Promise<string> {
    const least = Math.min(...[...this.#points.values()].map(({ tries }) => tries))
    const candidates = [...this.#points].filter(([, { tries }]) => tries === least)
    const [name, chosen] = candidates[Math.floor(this.#random() * candidates.length)] ?? []
    if (name === undefined || !chosen) throw new Error('there is no point to kill at')
    chosen.tries += 1
    const { situation, point } = chosen
    const { hit, problems } =
      situation.kind === 'start' ? await this.#killStart(situation, point) : await this.#killStep(situation.step, point)
    if (hit) {
      chosen.hits += 1
      this.#kills += 1
    }
    this.#problems.push(...problems.map((problem) => `${name}: ${problem}`))
    return `${name}${hit ? '' : ' (not reached)'}${problems.map((problem) => `\n  ${problem}`).join('')}`
  }

  async #killStart(situation: Extract<Situation, { kind: 'start' }>, point: Point) {
    const { dataDirectory, journal } = await this.#before(situation)
    await using victim = await this.#start({ dataDirectory, ...situation.options, killAt: point })
    if (victim.ready) await this.#untilHit(victim)
    return { hit: victim.files.hit, problems: await this.#verify(victim, dataDirectory, journal) }
  }

  async #killStep(step: Step, point: Point) {
    const dataDirectory = this.#dataDirectory
    const grace = step.name.startsWith('collect garbage') || this.#random() < 0.3 ? 'none' : 'a day'
    await using victim = await this.#start({ dataDirectory, grace })
    const clients = this.#clients(victim.client)
    const { traffic } = clients
    // A start begins with a round of collection; this one comes after it.
    if (grace === 'none') await traffic.collectGarbage()
    try {
      await (
        await traffic.pick(steps)?.prepare(clients)
      )?.()
      const act = await step.prepare(clients)
      victim.files.killAt(point)
      await act?.()
      victim.files.disarm()
      await (
        await traffic.pick(steps)?.prepare(clients)
      )?.()
    } catch (error) {
      if (!(error instanceof Gone)) throw error
    }
    return { hit: victim.files.hit, problems: await this.#verify(victim, dataDirectory, this.#journal) }
  }

  async #verify(
    victim: { readonly process: { readonly pid: number; readonly ended: Promise<number> } },
    dataDirectory: string,
    journal: Journal,
  ) {
    try {
      process.kill(victim.process.pid, 'SIGKILL')
    } catch {
      // It is dead already.
    }
    await victim.process.ended
    const open = (directory: string, { remote, expire = false }: OpenOptions) =>
      this.#start({
        dataDirectory: directory,
        remote,
        ...(expire && ({ grace: 'none', abandonedUploads: '1ms' } as const)),
      })
    const { problems, rests } = await verify(dataDirectory, journal, {
      origin: this.#origin,
      giveUp: this.#random() < 0.3,
      ...(this.#options.env && { open }),
    })
    const { kept, resumed, dropped } = this.#rests
    this.#rests = {
      kept: kept + rests.kept,
      resumed: resumed + rests.resumed,
      dropped: dropped + rests.dropped,
    }
    // What is broken would be told again after every further kill.
    if (problems.length > 0 && journal === this.#journal) this.#afresh()
    return problems
  }

  /** Work in the background is hit a little after the start. */
  async #untilHit(victim: {
    readonly files: { readonly hit: boolean }
    readonly process: { readonly ended: Promise<number> }
  }) {
    await Promise.race([victim.process.ended, new Promise((resolve) => setTimeout(resolve, 300))])
  }

  async #before({ on, options }: Extract<Situation, { kind: 'start' }>) {
    if (options.abandonedUploads !== undefined) await this.#leaveUploads()
    switch (on) {
      case 'nothing':
        return { dataDirectory: await this.#newDirectory(), journal: new Journal() }
      case 'first schema': {
        const dataDirectory = await this.#newDirectory()
        return { dataDirectory, journal: await copyFixture(dataDirectory) }
      }
      case 'what is there':
        return { dataDirectory: this.#dataDirectory, journal: this.#journal }
    }
  }

  async #leaveUploads(): Promise<void> {
    await using victim = await this.#start({ dataDirectory: this.#dataDirectory })
    const { traffic, v1 } = this.#clients(victim.client)
    for (const image of images.slice(0, 2)) {
      await traffic.startUpload(image, traffic.layer())
      const pushed = v1.newImage()
      await v1.prepare(image, pushed)
      await v1.putJson(image, pushed)
      await v1.putLayer(image, pushed)
    }
    for (const [url, upload] of this.#journal.claims.uploads)
      this.#journal.setUpload(url, { ...upload, certain: false, acknowledged: 0 })
    this.#journal.v1.mayExpire()
  }

  async #start(options: Pick<VictimOptions, 'dataDirectory'> & Partial<VictimOptions>) {
    const { remote } = this.#origin
    return await startVictim({ scratch: this.#scratch, env: this.#options.env ?? {}, remote, ...options })
  }

  #clients(client: RegistryClient): Clients {
    return clientsOf(client, { journal: this.#journal, origin: this.#origin, random: this.#random })
  }

  get #dataDirectory(): string {
    return join(this.#scratch, `data-${this.#directories}`)
  }

  async #newDirectory(): Promise<string> {
    const directory = join(this.#scratch, `other-${this.#random().toString(36).slice(2)}`)
    await mkdir(directory)
    return directory
  }

  #afresh(): void {
    this.#directories += 1
    this.#journal = new Journal()
  }
}

/** The first, the second and the last, how they are called in messages, and which they are. */
function chosenOf(times: number): ReadonlyMap<string, number> {
  const chosen: [string, number][] = []
  if (times > 0) chosen.push(['', 1])
  if (times > 2) chosen.push([' again', 2])
  if (times > 1) chosen.push([' at last', times])
  return new Map(chosen)
}

function nameOf(situation: Situation): string {
  return situation.kind === 'step' ? situation.step.name : situation.name
}
