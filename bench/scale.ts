import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { parseDigest } from '../registry/domain/digest.ts'
import { isRepositoryKey, parseImageName, parseTag, type RepositoryKey } from '../registry/domain/names.ts'
import { Collector } from '../registry/jobs/collector.ts'
import { openFilesystemBlobs } from '../registry/storage/filesystem-blobs.ts'
import type { MetadataStore } from '../registry/storage/metadata-store.ts'
import { openSqliteMetadata } from '../registry/storage/sqlite-metadata.ts'
import { digestOf, fill, untagAll, type Crowd } from './crowd.ts'

// npm run bench:scale: what one answer, and the removal of one thing, costs in a small and in a large registry. CPU time of
// this process, which does what the registry does. npm run bench:scale -- --small: a hundredth of it, to see that it runs.
const small = process.argv.includes('--small')
const sizes: readonly Crowd[] = [
  { images: small ? 2 : 10, manifestsPerImage: small ? 50 : 100, blobsPerManifest: 10 },
  { images: small ? 10 : 1000, manifestsPerImage: 100, blobsPerManifest: 10 },
]
const rounds = small ? 20 : 10_000
const key = parseKey('docker-local')
const day = 86_400_000

type Costs = ReadonlyMap<string, number>

const columns: Costs[] = []
for (const crowd of sizes) columns.push(await measure(crowd))
console.log(table(columns))

function parseKey(text: string): RepositoryKey {
  if (isRepositoryKey(text)) return text
  throw new Error(`${text} is no key`)
}

async function measure(crowd: Crowd): Promise<Costs> {
  const directory = await mkdtemp(join(tmpdir(), 'caisson-scale-'))
  try {
    const file = join(directory, 'caisson.db')
    await using made = await openSqliteMetadata(file)
    await made[Symbol.asyncDispose]()
    fill(file, crowd)
    let now = new Date(day)
    await using metadata = await openSqliteMetadata(file, () => now)
    const answers = await answersOf(metadata, crowd)

    untagAll(file, new Date(0))
    await using blobs = await openFilesystemBlobs({
      blobs: join(directory, 'blobs'),
      uploads: join(directory, 'uploads'),
    })
    const rules = { graceMs: day, keepUntaggedMs: new Map([[key, day]]) }
    const collector = new Collector({ metadata, blobs }, rules, () => now)
    const delay = monitorEventLoopDelay({ resolution: 1 })
    delay.enable()
    const collection = await cpuMs(async () => {
      // Manifests, the blobs that only they named, and those that no image has then.
      for (let passed = 1; passed <= 3; passed++) {
        now = new Date(now.getTime() + day)
        await collector.collect(new AbortController().signal)
      }
    })
    delay.disable()
    const left = Object.values(await metadata.countReviews())
    if (left.some((count) => count > 0)) throw new Error(`garbage was left: ${left.join(', ')}`)
    const manifests = crowd.images * crowd.manifestsPerImage
    const things = manifests * (1 + 2 * crowd.blobsPerManifest)
    return new Map([
      ['manifests', manifests],
      ['blobs', manifests * crowd.blobsPerManifest],
      ...answers,
      ['garbage collection, per manifest, link and blob', (collection * 1000) / things],
      ['garbage collection, 99.9 % of the waits of others, in ms', delay.percentile(99.9) / 1e6],
      ['garbage collection, longest wait of others, in ms', delay.max / 1e6],
    ])
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function answersOf(metadata: MetadataStore, { images, manifestsPerImage, blobsPerManifest }: Crowd) {
  const imageAt = (at: number) => parseImageName(`team/image-${String((at % images) + 1).padStart(6, '0')}`)
  const of = (at: number) => ({ repository: key, image: imageAt(at) })
  const tag = (at: number) => parseTag(`v${String(at % manifestsPerImage).padStart(6, '0')}`)
  const blob = (at: number) => parseDigest(digestOf('blob', (at % images) * manifestsPerImage * blobsPerManifest))
  return new Map([
    ['manifest by tag', await each((at) => metadata.findManifest(of(at), { tag: tag(at) }))],
    ['blob of an image', await each((at) => metadata.findBlob(of(at), blob(at)))],
    ['page of 10 tags', await each((at) => metadata.listTags(of(at), 'v000020', 10))],
    ['page of 10 images', await each((at) => metadata.listImages(key, imageAt(at), 10))],
  ])
}

/** Microseconds of CPU time of one; each is another one, all over the registry. */
async function each(work: (at: number) => Promise<unknown>): Promise<number> {
  const somewhere = (round: number) => round * 7919
  if ((await work(somewhere(1))) === undefined) throw new Error('nothing was found')
  for (let warm = 0; warm < rounds; warm++) await work(somewhere(warm))
  const ms = await cpuMs(async () => {
    for (let round = 0; round < rounds; round++) await work(somewhere(round))
  })
  return (ms * 1000) / rounds
}

async function cpuMs(work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

function table(columns: readonly Costs[]): string {
  const [first, last] = [columns.at(0), columns.at(-1)]
  const rows = [...(first?.keys() ?? [])].map((name) => {
    const figures = columns.map((costs) => costs.get(name) ?? 0)
    const shown = figures.map((figure) => (Number.isInteger(figure) ? String(figure) : figure.toFixed(1)))
    const ratio = Number.isInteger(figures[0]) ? '' : ((last?.get(name) ?? 0) / (first?.get(name) ?? 1)).toFixed(2)
    return `| ${name} | ${shown.join(' | ')} | ${ratio} |`
  })
  return ['| CPU, µs each | small | large | large ÷ small |', '| --- | --- | --- | --- |', ...rows].join('\n')
}
