import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs, promisify } from 'node:util'
import { startCaisson, type Caisson } from '../test/helpers/caisson.ts'
import type { Contender } from './contenders.ts'
import { curl, pushBlob, pushManifest } from './curl.ts'
import { manifestOf, randomFile, type Fixture } from './fixtures.ts'
import { inTurn, median } from './measure.ts'
import { usageOf } from './process-tree.ts'
import { wrk } from './wrk.ts'

// npm run bench:cache: what a remote repository costs, its upstream being another one of ours on this machine. CPU-seconds of the cache
// alone, and wall time where two ways are taken in turn.
// npm run bench:cache -- --small: an eighth of the bytes and of the clients, to see that it runs.
const { small } = parseArgs({ options: { small: { type: 'boolean', default: false } } }).values
const gibibyte = 1024 ** 3
const size = small ? gibibyte / 8 : gibibyte
const crowd = small ? 8 : 64
const rounds = small ? 1 : 5
const coldRounds = small ? 1 : 3
const seconds = small ? 1 : 4
const execute = promisify(execFile)

interface Measured {
  readonly what: string
  readonly figures: string
  readonly ratio: string
  readonly target: string
}

const scratch = await mkdtemp(join(tmpdir(), 'caisson-bench-cache-'))
try {
  await using upstream = await start('upstream', {})
  const { caisson, authority, contender } = upstream
  await using cache = await start('cache', {
    hub: { type: 'remote', url: `https://localhost:${caisson.ports[0]}`, ca: authority },
  })
  const hosted = { ...cache.contender, name: 'hosted' }
  const cached = { ...cache.contender, name: 'cached', url: `https://localhost:${cache.caisson.ports[1]}` }
  const rows: Measured[] = []

  const config = await randomFile(scratch, 'config', 2)
  const big = await randomFile(scratch, 'big', size)
  const manifest = manifestOf([config, big])
  for (const [one, itsAuthority] of [
    [contender, authority],
    [hosted, cache.authority],
  ] as const) {
    for (const fixture of [config, big]) await pushBlob(itsAuthority, one, fixture.file, fixture.digest)
    await pushManifest(itsAuthority, one, '1', manifest)
  }

  const both = [cached, hosted]
  const manifests = await inTurn(both, rounds, (one) => wrk(`${one.url}/v2/bench/manifests/1`, 8, seconds))
  rows.push(cpuRow('manifest GET by tag, cached', 'ms', 1000, manifests, '≤ 1.05 × hosted'))
  const pulls = await inTurn(both, rounds, async (one) => {
    await pull(cache.authority, one, big)
    return size / gibibyte
  })
  rows.push(cpuRow('pull, 1 GiB, cached', 's', 1, pulls, '≤ 1.05 × hosted'))

  const cold: number[][] = [[], []]
  for (let round = 0; round < coldRounds; round++) {
    const fresh = await push(upstream, `cold-${round}`)
    await pull(authority, contender, fresh) // both ways find the upstream's file in memory
    cold[0]?.push(await timed(() => pull(authority, contender, fresh)))
    cold[1]?.push(await timed(() => pull(cache.authority, cached, fresh)))
    await rm(fresh.file)
  }
  const [straight = [], through = []] = cold
  rows.push({
    what: 'cold pull, 1 GiB, wall time',
    figures: `${median(through).toFixed(2)} s, straight from the upstream ${median(straight).toFixed(2)} s`,
    ratio: median(through.map((time, round) => time / (straight[round] ?? time))).toFixed(2),
    target: '≤ 1.20 × straight',
  })

  const crowded = await push(upstream, 'crowded')
  const askedBefore = await upstreamGets(upstream, crowded)
  const first = await crowdPulls(cache.authority, cached, crowded)
  await pause(2000) // the access log is written now and then
  const asked = (await upstreamGets(upstream, crowded)) - askedBefore
  const again = await crowdPulls(cache.authority, cached, crowded)
  rows.push({
    what: `${crowd} clients at once, 1 GiB that is not cached`,
    figures: `${first.cpuSeconds.toFixed(1)} s CPU, cached ${again.cpuSeconds.toFixed(1)} s; ${asked} GET upstream; first bytes after ${first.firstByteSeconds.toFixed(2)} s at most, ${first.peakMiB.toFixed(0)} MiB at most (idle ${first.idleMiB.toFixed(0)})`,
    ratio: (first.cpuSeconds / again.cpuSeconds).toFixed(2),
    target: '≤ 1.50 × cached, 1 GET',
  })

  console.log(`\nNode ${process.version}\n\n| what | figures | ratio | target |\n| --- | --- | --- | --- |`)
  for (const { what, figures, ratio, target } of rows) console.log(`| ${what} | ${figures} | ${ratio} | ${target} |`)
} finally {
  await rm(scratch, { recursive: true, force: true })
}

interface Started extends AsyncDisposable {
  readonly caisson: Caisson
  readonly authority: string
  readonly contender: Contender
}

/** With docker-local on the first port, and `hub` on the second where there is one. */
async function start(name: string, remotes: Readonly<Record<string, object>>): Promise<Started> {
  const dataDirectory = join(scratch, name)
  const keys = ['docker-local', ...Object.keys(remotes)]
  const caisson = await startCaisson({
    dataDirectory,
    config: {
      gateway: { listeners: keys.map((repository) => ({ port: 0, repository })) },
      registry: { repositories: { 'docker-local': { type: 'local' }, ...remotes } },
    },
  })
  const end = () => caisson[Symbol.asyncDispose]()
  const contender = {
    name,
    url: `https://localhost:${caisson.ports[0]}`,
    login: `admin:${caisson.adminPassword}`,
    usage: () => usageOf([caisson.process.pid ?? 0]),
    [Symbol.asyncDispose]: end,
  }
  return { caisson, authority: caisson.authorityFile, contender, [Symbol.asyncDispose]: end }
}

async function push({ authority, contender }: Started, name: string): Promise<Fixture> {
  const fixture = await randomFile(scratch, name, size)
  await pushBlob(authority, contender, fixture.file, fixture.digest)
  return fixture
}

async function pull(authority: string, contender: Contender, { digest }: Fixture): Promise<number> {
  const url = `${contender.url}/v2/bench/blobs/${digest}`
  const format = '%{size_download} %{time_starttransfer}'
  const told = await curl(authority, contender, ['-o', '/dev/null', '-w', format, url])
  const [bytes, firstByteSeconds] = told.split(' ').map(Number)
  if (bytes !== size) throw new Error(`${contender.name} sent ${bytes} bytes of ${size}`)
  return firstByteSeconds ?? 0
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await work()
  return (performance.now() - started) / 1000
}

async function crowdPulls(authority: string, contender: Contender, fixture: Fixture) {
  await execute('sync')
  const { cpuSeconds, residentMiB: idleMiB } = contender.usage()
  const ended = new AbortController()
  const watched = peak(contender, ended.signal)
  const firstBytes = await Promise.all(Array.from({ length: crowd }, () => pull(authority, contender, fixture)))
  ended.abort()
  return {
    cpuSeconds: contender.usage().cpuSeconds - cpuSeconds,
    firstByteSeconds: Math.max(...firstBytes),
    peakMiB: await watched,
    idleMiB,
  }
}

async function peak(contender: Contender, signal: AbortSignal): Promise<number> {
  let highest = 0
  while (!signal.aborted) {
    highest = Math.max(highest, contender.usage().residentMiB)
    await pause(200)
  }
  return highest
}

/** By its access log. */
async function upstreamGets({ caisson }: Started, { digest }: Fixture): Promise<number> {
  const log = await readFile(join(caisson.dataDirectory, 'logs', 'access.log'), 'utf8').catch(() => '')
  return log.split('\n').filter((line) => line.includes('"GET ') && line.includes(digest)).length
}

function cpuRow(
  what: string,
  unit: string,
  scale: number,
  [ours, other]: Awaited<ReturnType<typeof inTurn>>,
  target: string,
): Measured {
  const [one, two] = [ours?.cpuSeconds ?? [], other?.cpuSeconds ?? []]
  const figure = (of: readonly number[]) => `${(median(of) * scale).toFixed(3)} ${unit}`
  return {
    what,
    figures: `${figure(one)}, hosted ${figure(two)} (CPU)`,
    ratio: median(one.map((seconds, round) => seconds / (two[round] ?? seconds))).toFixed(2),
    target,
  }
}
