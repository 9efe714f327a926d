import { randomBytes } from 'node:crypto'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { adminPassword, startCaisson, type Caisson } from '../helpers/caisson.ts'
import { freePort } from '../helpers/free-port.ts'
import { attempt } from '../helpers/program.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'
import { descriptor, digestOfBytes, ociManifest } from '../helpers/tiny-image.ts'
import { Journal, type KnownManifest } from './journal.ts'
import { randomNumbers } from './random-numbers.ts'
import { verify } from './verify.ts'

export interface LoadOptions {
  readonly seconds: number
  readonly seed: number
}

export interface LoadReport {
  readonly kills: Readonly<Record<Target, number>>
  /** How many copies ended well, and how many were cut off. */
  readonly copied: number
  readonly cutOff: number
  readonly problems: readonly string[]
}

/** What is killed: the registry, a worker of the gateway, or all there is. */
const targets = ['registry', 'gateway', 'everything'] as const
type Target = (typeof targets)[number]

const copiers = 4
const image = 'loaded'

/** Kills processes of the whole product at any moment while real skopeos copy images to it, and compares in the end. */
export async function killUnderLoad({ seconds, seed }: LoadOptions): Promise<LoadReport> {
  await using temporary = await temporaryDirectory()
  await using product = new Product(join(temporary.path, 'data'), await freePort())
  await product.start()
  const random = randomNumbers(seed)
  const journal = new Journal()
  const load = new Load(temporary.path, product, journal)
  const kills = { registry: 0, gateway: 0, everything: 0 }
  const copying = Array.from({ length: copiers }, (_, copier) => load.copyUntilStopped(copier))
  for (const end = Date.now() + seconds * 1000; Date.now() < end;) {
    await setTimeout(500 + random() * 1500)
    const target = targets[Math.floor(random() * targets.length)] ?? 'registry'
    await product.kill(target)
    kills[target] += 1
  }
  load.stopped = true
  await Promise.all(copying)
  await product.kill('everything', { again: false })
  const { problems } = await verify(product.dataDirectory, journal)
  return { kills, copied: load.copied, cutOff: load.cutOff, problems }
}

class Load {
  readonly #directory: string
  readonly #product: Product
  readonly #journal: Journal
  stopped = false
  copied = 0
  cutOff = 0

  constructor(directory: string, product: Product, journal: Journal) {
    this.#directory = directory
    this.#product = product
    this.#journal = journal
  }

  /** Each image has a layer of its own and one that all have; the tag of a copier moves, and every image has one that stays. */
  async copyUntilStopped(copier: number): Promise<void> {
    for (let number = 0; !this.stopped; number++) {
      const layout = join(this.#directory, `layout-${copier}`)
      const manifest = await writeLayout(layout, [Buffer.from('shared'), randomBytes(200_000)])
      await this.#copy(layout, manifest, `${copier}-${number}`)
      await this.#copy(layout, manifest, `moving-${copier}`)
      await rm(layout, { recursive: true })
    }
  }

  async #copy(layout: string, manifest: KnownManifest, tag: string): Promise<void> {
    const digest = digestOfBytes(manifest.bytes)
    this.#journal.manifestOf.set(digest, manifest)
    const settle = [this.#journal.setManifest(image, digest, true), this.#journal.setTag(image, tag, digest)]
    const target = `docker://localhost:${this.#product.port}/${image}:${tag}`
    const login = ['--dest-creds', `admin:${adminPassword}`]
    const env = { SSL_CERT_FILE: join(this.#product.dataDirectory, 'certs', 'ca.crt') }
    const { exitCode } = await attempt('skopeo', ['--insecure-policy', 'copy', ...login, `oci:${layout}:1`, target], {
      env,
    })
    const outcome = exitCode === 0 ? 'done' : 'unknown'
    for (const settled of settle) settled(outcome)
    if (exitCode === 0) this.copied += 1
    else {
      this.cutOff += 1
      await setTimeout(250)
    }
  }
}

/** The whole product, started again whenever all of it was killed. */
class Product implements AsyncDisposable {
  readonly dataDirectory: string
  readonly port: number
  #running: Caisson | undefined

  constructor(dataDirectory: string, port: number) {
    this.dataDirectory = dataDirectory
    this.port = port
  }

  async start(): Promise<void> {
    const config = { gateway: { workers: 2, listeners: [{ port: this.port, repository: 'docker-local' }] } }
    this.#running = await startCaisson({ dataDirectory: this.dataDirectory, config })
  }

  async kill(target: Target, { again = true } = {}): Promise<void> {
    const { pid } = this.#running?.process ?? {}
    if (pid === undefined) return
    const children = await childrenOf(pid)
    if (target !== 'everything') {
      // The supervisor starts it again.
      const chosen = children.filter(({ command }) => command.includes(target))
      killAll(chosen.slice(0, 1).map((child) => child.pid))
      return
    }
    killAll([pid, ...children.map((child) => child.pid)])
    await this[Symbol.asyncDispose]()
    if (again) await this.start()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running?.[Symbol.asyncDispose]()
    this.#running = undefined
  }
}

function killAll(pids: readonly number[]): void {
  for (const pid of pids) process.kill(pid, 'SIGKILL')
}

async function childrenOf(pid: number): Promise<readonly { readonly pid: number; readonly command: string }[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  const pids = children.trim().split(' ').filter(Boolean).map(Number)
  const commands = pids.map(async (child) => ({
    pid: child,
    command: await readFile(`/proc/${child}/cmdline`, 'utf8').catch(() => ''),
  }))
  return await Promise.all(commands)
}

async function writeLayout(directory: string, contents: readonly Buffer[]): Promise<KnownManifest> {
  await mkdir(join(directory, 'blobs', 'sha256'), { recursive: true })
  const layers = contents.map((content) => gzipSync(content))
  const diffIds = contents.map((content) => digestOfBytes(content))
  const rootfs = { type: 'layers', diff_ids: diffIds }
  const config = Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', config: {}, rootfs }))
  const body = {
    schemaVersion: 2,
    mediaType: ociManifest,
    config: descriptor('application/vnd.oci.image.config.v1+json', config),
    layers: layers.map((layer) => descriptor('application/vnd.oci.image.layer.v1.tar+gzip', layer)),
  }
  const bytes = Buffer.from(JSON.stringify(body))
  const files = [config, ...layers, bytes]
  for (const file of files) await writeFile(join(directory, 'blobs', digestOfBytes(file).replace(':', '/')), file)
  const entry = { ...descriptor(ociManifest, bytes), annotations: { 'org.opencontainers.image.ref.name': '1' } }
  await writeFile(join(directory, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [entry] }))
  await writeFile(join(directory, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }))
  const blobs = [config, ...layers].map((blob) => digestOfBytes(blob))
  return { mediaType: ociManifest, bytes, blobs, entries: [], subject: undefined }
}
