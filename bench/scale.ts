import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { isDigest } from '../registry/domain/digest.ts'
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
const rounds = small ? 20 : 2000
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
      ['garbage collection, longest wait of others, in ms', delay.max / 1e6],
    ])
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function answersOf(metadata: MetadataStore, { images }: Crowd): Promise<Costs> {
  const of = { repository: key, image: parseImageName(`team/image-${String(Math.ceil(images / 2)).padStart(6, '0')}`) }
  const digest = digestOf('blob', 1)
  if (!isDigest(digest)) throw new Error(digest)
  const first = { repository: key, image: parseImageName('team/image-000001') }
  return new Map([
    ['manifest by tag', await each(() => metadata.findManifest(of, { tag: parseTag('v000042') }))],
    ['blob of an image', await each(() => metadata.findBlob(first, digest))],
    ['page of 10 tags', await each(() => metadata.listTags(of, 'v000020', 10))],
    ['page of 10 images', await each(() => metadata.listImages(key, 'team/image-000001', 10))],
  ])
}

/** Microseconds of CPU time of one. */
async function each(work: () => Promise<unknown>): Promise<number> {
  if ((await work()) === undefined) throw new Error('nothing was found')
  for (let warm = 0; warm < rounds; warm++) await work()
  const ms = await cpuMs(async () => {
    for (let round = 0; round < rounds; round++) await work()
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
