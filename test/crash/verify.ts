import { once } from 'node:events'
import { createReadStream, existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import pino from 'pino'
import { registrySection } from '../../registry/config.ts'
import { startRegistry } from '../../registry/start.ts'
import { adminPassword } from '../helpers/caisson.ts'
import { localV2 } from '../helpers/registry.ts'
import { RegistryClient } from '../helpers/registry-client.ts'
import { digestOfBytes } from '../helpers/tiny-image.ts'
import type { Journal } from './journal.ts'
import type { Origin, Remote } from './origin.ts'
import { pullAgain } from './pull-again.ts'
import { imageOf, nameOf } from './possible.ts'
import { isCached } from './pulls.ts'
import { receivedOf } from './traffic.ts'
import { clearV1, v1Leftovers, v1Tables } from './v1-tables.ts'
import { pushV1Again, verifyV1 } from './v1-verify.ts'

/** A registry that runs on a data directory, and its admin. */
export interface Opened extends AsyncDisposable {
  readonly client: RegistryClient
}

export interface OpenOptions {
  readonly remote?: Remote | undefined
  /** What nobody goes on with expires at once, and garbage has no time of grace. Default: both have a day. */
  readonly expire?: boolean
}

export interface VerifyOptions {
  /** Default: in this process, which is quicker than in one of its own. */
  readonly open?: (dataDirectory: string, options: OpenOptions) => Promise<Opened>
  /** What the remote repository caches. Default: there is none. */
  readonly origin?: Origin
  /** How often a pull may be tried until it is right. Default: once. */
  readonly tries?: number
  /** What was being pushed by the V1 API is given up instead of gone on with: nothing may be left of it when it has expired. */
  readonly giveUp?: boolean
}

/** Blobs of the upstream that had come in in part when a process ended. */
export interface Rests {
  /** Found by the next start. */
  readonly kept: number
  /** Gone on with where they had broken off; of the others there was nothing yet, or all. */
  readonly resumed: number
  /** Files of which no image knew: the start removed them. */
  readonly dropped: number
}

export const noRests: Rests = { kept: 0, resumed: 0, dropped: 0 }

export interface Verified {
  /** What is wrong, a sentence each. */
  readonly problems: readonly string[]
  readonly rests: Rests
}

/**
 * Starts the registry on what a process left behind and compares it with what its clients were told; stops it and looks at the
 * files and tables themselves. What is seen becomes certain in the journal.
 *
 * Of what came through the remote repository: a manifest that a client got is kept, so a registry that asks nobody has it; what is kept is
 * right; the next pull is right and complete, and goes on with what had come in, of which nothing is left over then.
 *
 * Of what was being pushed by the V1 API: it is where it was said to be, and can be pushed again.
 */
export async function verify(dataDirectory: string, journal: Journal, options: VerifyOptions = {}): Promise<Verified> {
  const { open = openHere, origin, tries = 1, giveUp = false } = options
  const problems: string[] = []
  let rests = noRests
  const filesBefore = await uploadFiles(dataDirectory)
  try {
    {
      await using opened = await open(dataDirectory, { remote: origin && { ...origin.remote, offline: true } })
      const files = new Set(await uploadFiles(dataDirectory))
      rests = { ...noRests, dropped: filesBefore.filter((file) => !files.has(file)).length }
      await new Verifier(opened.client, journal, problems).verify()
      problems.push(...(await verifyV1(opened.client, journal.v1)))
      if (!giveUp) problems.push(...(await pushV1Again(opened.client, journal.v1)))
    }
    if (origin) {
      const kept = fetchesIn(dataDirectory).length
      const resumedBefore = origin.resumed
      origin.heal()
      await using opened = await open(dataDirectory, { remote: origin.remote })
      problems.push(...(await pullAgain(opened.client, journal, origin, tries)))
      rests = { ...rests, kept, resumed: origin.resumed - resumedBefore }
    }
    if (giveUp)
      problems.push(...(await afterExpiry(dataDirectory, journal, await open(dataDirectory, { expire: true }))))
  } catch (error) {
    problems.push(`the registry does not work: ${String(error instanceof Error ? error.stack : error)}`)
    return { problems, rests }
  }
  for (const id of fetchesIn(dataDirectory)) problems.push(`the fetch ${id} was not gone on with`)
  return { problems: [...problems, ...(await filesAndTables(dataDirectory))], rests }
}

async function afterExpiry(dataDirectory: string, journal: Journal, expiring: Opened): Promise<readonly string[]> {
  journal.v1.mayExpire()
  journal.mayBeCollected()
  const problems: string[] = []
  {
    await using opened = expiring
    await clearV1(dataDirectory, opened.client)
    problems.push(...(await verifyV1(opened.client, journal.v1)))
  }
  journal.v1.observedExpiry()
  return [...problems, ...v1Leftovers(dataDirectory)]
}

const expiresAtOnce = { garbageCollection: { grace: '1ms', every: '20d', abandonedUploads: '1ms' } }
const localRepositories = { 'docker-local': { type: 'local' }, 'docker-v1': { type: 'local', apiVersion: 'v1' } }

export async function openHere(dataDirectory: string, { remote, expire = false }: OpenOptions): Promise<Opened> {
  const socketPath = join(dataDirectory, 'registry.sock')
  const config = registrySection.parse({
    listen: `unix:${socketPath}`,
    storage: { filesystem: join(dataDirectory, 'blobs') },
    database: `sqlite:${join(dataDirectory, 'caisson.db')}`,
    audit: { file: join(dataDirectory, 'audit', 'audit.jsonl') },
    ...(expire && expiresAtOnce),
    ...(remote && { repositories: { ...localRepositories, hub: remote } }),
  })
  const log = pino({ level: 'silent' })
  const registry = await startRegistry({ config, dataDirectory, log, version: '0' })
  const client = await adminOf(dataDirectory)
  return { client, [Symbol.asyncDispose]: () => registry.stop() }
}

/** Who chose no password for the admin has to find it in its file. */
export async function adminOf(dataDirectory: string): Promise<RegistryClient> {
  const file = join(dataDirectory, 'admin-password')
  const password = existsSync(file) ? (await readFile(file, 'utf8')).trim() : adminPassword
  return new RegistryClient({ socketPath: join(dataDirectory, 'registry.sock') }, localV2).as({
    name: 'admin',
    password,
  })
}

class Verifier {
  readonly #client: RegistryClient
  readonly #journal: Journal
  readonly #problems: string[]
  readonly #whole = new Map<string, Promise<boolean>>()

  constructor(client: RegistryClient, journal: Journal, problems: string[]) {
    this.#client = client
    this.#journal = journal
    this.#problems = problems
  }

  async verify(): Promise<void> {
    const { claims } = this.#journal
    const { status } = await this.#client.ask('GET', `${localV2}/`)
    if (status !== 200) return this.#wrong(`the admin cannot log in: ${status}`)
    const seen = {
      tags: await this.#tags(),
      manifests: await this.#manifests(),
    }
    this.#together(seen.tags)
    for (const [key, possible] of claims.blobs)
      this.#journal.observedBlob(key, await this.#blob(imageOf(key), nameOf(key), possible))
    this.#journal.observed(seen)
    for (const url of claims.uploads.keys()) await this.#upload(url)
  }

  async #tags(): Promise<Map<string, string | undefined>> {
    const seen = new Map<string, string | undefined>()
    for (const [key, possible] of this.#journal.claims.tags) {
      const { status, headers, body } = await this.#client.ask('GET', `${imageOf(key)}/manifests/${nameOf(key)}`)
      const digest = status === 200 ? digestOfBytes(body) : undefined
      if (status !== 200 && status !== 404) this.#wrong(`tag ${key} is answered with ${status}`)
      if (digest !== undefined && headers['docker-content-digest'] !== digest) this.#wrong(`tag ${key} has other bytes`)
      if (!possible.has(digest)) this.#wrong(`tag ${key} is ${digest}, and not one of ${[...possible].join(', ')}`)
      seen.set(key, digest)
    }
    return seen
  }

  #together(seen: ReadonlyMap<string, string | undefined>): void {
    const { together } = this.#journal.claims
    if (!together) return
    const set = together.tags.filter((tag) => seen.get(`${together.image} ${tag}`) === together.digest)
    if (set.length !== 0 && set.length !== together.tags.length)
      this.#wrong(`of the tags ${together.tags.join(', ')} only ${set.join(', ')} were set`)
  }

  async #manifests(): Promise<Map<string, boolean>> {
    const seen = new Map<string, boolean>()
    for (const [key, possible] of this.#journal.claims.manifests) {
      const there = await this.#manifest(imageOf(key), nameOf(key))
      if (!possible.has(there)) this.#wrong(`manifest ${key} is ${there ? 'still there' : 'gone'}`)
      seen.set(key, there)
    }
    return seen
  }

  /** Whether it is there, and then with all that it names. */
  async #manifest(image: string, digest: string): Promise<boolean> {
    const { status, body } = await this.#client.ask('GET', `${image}/manifests/${digest}`)
    if (status === 404) return false
    const known = this.#journal.manifestOf.get(digest)
    if (status !== 200 || !known?.bytes.equals(body)) this.#wrong(`manifest ${image} ${digest} has other bytes`)
    if (isCached(image)) return true // what it names need not be here
    for (const blob of known?.blobs ?? [])
      if (!(await this.#isWhole(image, blob))) this.#wrong(`blob ${blob} of manifest ${image} ${digest} is missing`)
    for (const entry of known?.entries ?? [])
      if (!(await this.#manifest(image, entry))) this.#wrong(`manifest ${entry} of index ${image} ${digest} is missing`)
    return true
  }

  async #blob(image: string, digest: string, possible: ReadonlySet<boolean>): Promise<boolean> {
    const there = await this.#isWhole(image, digest)
    if (!possible.has(there)) this.#wrong(`blob ${image} ${digest} is ${there ? 'still there' : 'gone'}`)
    return there
  }

  #isWhole(image: string, digest: string): Promise<boolean> {
    const key = `${image} ${digest}`
    const read = this.#whole.get(key) ?? this.#read(image, digest)
    this.#whole.set(key, read)
    return read
  }

  async #read(image: string, digest: string): Promise<boolean> {
    const { status, body } = await this.#client.ask('GET', `${image}/blobs/${digest}`)
    if (status === 404) return false
    if (status !== 200 || digestOfBytes(body) !== digest)
      this.#wrong(`blob ${image} ${digest} has other bytes (${status})`)
    return true
  }

  /** Goes on at the last durable byte: the digest shows whether all bytes before it are the right ones. */
  async #upload(url: string): Promise<void> {
    const upload = this.#journal.claims.uploads.get(url)
    if (!upload) return
    const { image, bytes, acknowledged, certain } = upload
    this.#journal.setUpload(url, undefined)
    const asked = await this.#client.ask('GET', url)
    if (asked.status !== 204) {
      // The name of a file without bytes may be lost: so is nothing that was acknowledged.
      if (certain && acknowledged > 0) this.#wrong(`upload ${url} is answered with ${asked.status}`)
      return
    }
    const received = receivedOf(asked)
    if (received < acknowledged) this.#wrong(`upload ${url} has ${received} bytes, and not ${acknowledged}`)
    const digest = digestOfBytes(bytes)
    const finished = await this.#client.ask('PUT', `${url}?digest=${digest}`, { body: bytes.subarray(received) })
    if (finished.status !== 201)
      return this.#wrong(`upload ${url} cannot be finished: ${finished.status} ${finished.body.toString()}`)
    this.#journal.blobBytes.set(digest, bytes)
    this.#journal.setBlob(image, digest, true)('done')
  }

  #wrong(problem: string): void {
    this.#problems.push(problem)
  }
}

/** What must be true of the files and tables of a registry that has been stopped, whatever anybody was told. */
export async function filesAndTables(dataDirectory: string): Promise<readonly string[]> {
  using database = new DatabaseSync(join(dataDirectory, 'caisson.db'), { readOnly: true })
  const rows = (statement: string) => database.prepare(statement).all() as readonly Readonly<Record<string, string>>[]
  const problems: string[] = []
  for (const { integrity_check: found } of rows('pragma integrity_check'))
    if (found !== 'ok') problems.push(`the database is damaged: ${found}`)
  for (const row of rows('pragma foreign_key_check')) problems.push(`a row refers to nothing: ${JSON.stringify(row)}`)

  const blobs = rows('select digest, size, state from blobs')
  const files = await blobFiles(join(dataDirectory, 'blobs'))
  for (const { digest = '', size, state } of blobs) {
    const file = files.get(digest)
    files.delete(digest)
    if (state !== 'kept') continue
    if (file === undefined) problems.push(`blob ${digest} has a row and no file`)
    else if ((await hashOf(file)) !== digest) problems.push(`the file of blob ${digest} has other bytes`)
    else if ((await readFile(file)).length !== Number(size)) problems.push(`the row of blob ${digest} has another size`)
  }
  for (const file of files.values()) problems.push(`${file} has no row`)

  const missing = `select r.digest, r.manifest_digest from manifest_references r where r.kind = 'blob' and not exists
    (select 1 from image_blobs l join blobs b on b.digest = l.digest
      where l.image_id = r.image_id and l.digest = r.digest and b.state = 'kept')`
  for (const row of rows(missing)) problems.push(`a manifest names a missing blob: ${JSON.stringify(row)}`)
  problems.push(...v1Tables(dataDirectory))

  const uploads = new Set(rows('select id from uploads').map(({ id }) => id))
  for (const name of await uploadFiles(dataDirectory))
    if (!uploads.delete(name)) problems.push(`uploads/${name} has no row`)
  for (const id of uploads) problems.push(`upload ${id} has a row and no file`)
  return problems
}

async function uploadFiles(dataDirectory: string): Promise<readonly string[]> {
  const directory = join(dataDirectory, 'uploads')
  return existsSync(directory) ? await readdir(directory) : []
}

/** Uploads by which blobs of the upstream were coming in. */
function fetchesIn(dataDirectory: string): readonly string[] {
  using database = new DatabaseSync(join(dataDirectory, 'caisson.db'), { readOnly: true })
  const rows = database.prepare('select id from uploads where fetched is not null').all()
  return rows.map(({ id }) => String(id))
}

/** Paths by digest; a file that is no blob is its own name. */
async function blobFiles(directory: string): Promise<Map<string, string>> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  return new Map(
    files.map(({ name, parentPath }) => [
      `${name.length === 128 ? 'sha512' : 'sha256'}:${name}`,
      join(parentPath, name),
    ]),
  )
}

async function hashOf(file: string): Promise<string> {
  const hash = createHash('sha256')
  const stream = createReadStream(file)
  stream.on('data', (bytes) => hash.update(bytes))
  await once(stream, 'end')
  return `sha256:${hash.digest('hex')}`
}
