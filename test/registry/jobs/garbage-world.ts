import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import type { Digest } from '../../../registry/domain/digest.ts'
import { RegistryError } from '../../../registry/domain/errors.ts'
import { parseManifest, type Manifest } from '../../../registry/domain/manifest.ts'
import { parseImageName, parseTag } from '../../../registry/domain/names.ts'
import { Collector } from '../../../registry/jobs/collector.ts'
import { expireUploads } from '../../../registry/jobs/upload-expiry.ts'
import { recoverUploads, type Storage } from '../../../registry/jobs/upload-recovery.ts'
import { LocalRepository } from '../../../registry/repositories/local/local-repository.ts'
import { V1Repository } from '../../../registry/repositories/local/v1-repository.ts'
import type { BlobStore } from '../../../registry/storage/blob-store.ts'
import { openFilesystemBlobs } from '../../../registry/storage/filesystem-blobs.ts'
import type { MetadataStore } from '../../../registry/storage/metadata-store.ts'
import { openSqliteMetadata } from '../../../registry/storage/sqlite-metadata.ts'
import { allOf, sha256 } from '../../contracts/blob-store.ts'
import { keyOf } from '../../contracts/metadata-store.ts'
import {
  blobNames,
  graceMs,
  imageNames,
  keepUntaggedMs,
  manifestNames,
  Model,
  shapes,
  tagNames,
  v2Names,
  type BlobName,
  type ImageName,
  type ManifestName,
  type Outcome,
  type TagName,
  type V2Name,
} from './garbage-model.ts'
import { askV1, v1Images, type SendLayer, type V1Command } from './garbage-v1.ts'

/** What happens in one go. */
export type Simple =
  | { readonly do: 'rely on blob' | 'delete blob'; readonly image: ImageName; readonly blob: BlobName }
  | { readonly do: 'mount'; readonly image: ImageName; readonly blob: BlobName; readonly from: ImageName }
  | {
      readonly do: 'put'
      readonly image: ImageName
      readonly manifest: V2Name
      readonly tags: readonly TagName[]
    }
  | {
      readonly do: 'rely on manifest' | 'delete manifest' | 'uncache'
      readonly image: ImageName
      readonly manifest: ManifestName
    }
  | {
      readonly do: 'cache'
      readonly image: ImageName
      readonly manifest: V2Name
      readonly tag: TagName | undefined
    }
  | { readonly do: 'delete tag'; readonly image: ImageName; readonly tag: TagName }
  | { readonly do: 'delete image'; readonly image: ImageName }
  | { readonly do: 'crash' }
  | V1Command

type Push = { readonly do: 'push'; readonly image: ImageName; readonly blob: BlobName }
type Advance = { readonly do: 'advance'; readonly minutes: number }

/** What can be interrupted by others, and by the end of the process. */
export type Command =
  | Simple
  | Advance
  | SendLayer
  | { readonly do: 'expire' | 'restart' }
  | (Push & {
      readonly beforePlace: readonly (Simple | Advance | { readonly do: 'collect' })[]
      readonly beforeLink: readonly (Simple | Advance | { readonly do: 'collect' })[]
    })
  | {
      readonly do: 'collect'
      readonly beforeDelete: readonly (Simple | Push)[]
      readonly beforeForget: readonly (Simple | Push)[]
    }

type PlainCommand = Exclude<Simple, V1Command | { readonly do: 'crash' | 'delete image' }>

class Crash extends Error {}

type Hook = 'place' | 'link' | 'delete' | 'forget'

const contentOf = (blob: BlobName): string => `content of ${blob}`
const digestOfBlob = (blob: BlobName): Digest => sha256(contentOf(blob))
const manifests = new Map<ManifestName, Manifest>()
for (const name of v2Names) manifests.set(name, build(name))
const app = parseImageName('app')

/** The real thing and the model, side by side, in virtual time. */
export class World implements AsyncDisposable {
  readonly #directory: string
  readonly #model = new Model()
  readonly #hooks = new Map<Hook, () => Promise<void>>()
  readonly #background: Promise<void>[] = []
  /** Until its blob has been deleted. */
  #pushWaits = Promise.withResolvers<void>()
  readonly #deletions = new Map<ImageName, number>()
  #crashed = false
  #storage!: Storage
  #repositories!: ReadonlyMap<ImageName, LocalRepository>

  static async create(): Promise<World> {
    const fast = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
    const world = new World(await mkdtemp(join(fast, 'caisson-model-')))
    await world.#open()
    return world
  }

  private constructor(directory: string) {
    this.#directory = directory
  }

  async run(command: Command): Promise<void> {
    try {
      await this.#run(command)
      await Promise.all(this.#background.splice(0))
    } catch (error) {
      if (!(error instanceof Crash)) throw error
      await Promise.all(this.#background.splice(0))
      await this.#restart()
    }
    await this.#compare()
  }

  /** A month without anybody: only what a tag holds remains. */
  async settle(): Promise<void> {
    await this.run({ do: 'expire' })
    for (let week = 0; week < 6; week++) {
      await this.run({ do: 'advance', minutes: 8 * 1440 })
      await this.run({ do: 'collect', beforeDelete: [], beforeForget: [] })
    }
    for (const name of imageNames) {
      const { manifests, links, tags } = this.#model.image(name)
      if (tags.size === 0) assert.deepEqual([...manifests.keys(), ...links.keys()], [], `${name} has no tag`)
    }
    assert.deepEqual(await this.#storage.metadata.countReviews(), { manifests: 0, links: 0, blobs: 0 })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#storage.metadata[Symbol.asyncDispose]()
    await rm(this.#directory, { recursive: true, force: true })
  }

  async #open(): Promise<void> {
    const metadata = await openSqliteMetadata(join(this.#directory, 'caisson.db'), () => new Date(this.#model.now))
    const blobs = await openFilesystemBlobs({
      blobs: join(this.#directory, 'blobs'),
      uploads: join(this.#directory, 'uploads'),
    })
    this.#storage = { metadata: this.#interruptMetadata(metadata), blobs: this.#interruptBlobs(blobs) }
    this.#repositories = new Map(imageNames.map((name) => [name, new LocalRepository(keyOf(name), this.#storage)]))
  }

  #interruptMetadata(metadata: MetadataStore): MetadataStore {
    return {
      ...metadata,
      linkBlob: async (...all) => {
        await this.#reach('link')
        await metadata.linkBlob(...all)
      },
      forgetBlobs: async (digests) => {
        await this.#reach('forget')
        await metadata.forgetBlobs(digests)
      },
      expectBlob: async (...all) => {
        const expected = await metadata.expectBlob(...all)
        if (!expected) this.#pushWaits.resolve()
        return expected
      },
      reprieveBlob: async (digest) => {
        if (this.#crashed) throw new Crash() // a process that has ended does no more
        await metadata.reprieveBlob(digest)
      },
    }
  }

  #interruptBlobs(blobs: BlobStore): BlobStore {
    return {
      stat: (...all) => blobs.stat(...all),
      open: (...all) => blobs.open(...all),
      path: (digest) => blobs.path(digest),
      listBlobs: () => blobs.listBlobs(),
      admit: (bytes) => blobs.admit(bytes),
      begin: (...all) => blobs.begin(...all),
      size: (id) => blobs.size(id),
      append: (...all) => blobs.append(...all),
      digest: (id) => blobs.digest(id),
      discard: (id) => blobs.discard(id),
      hold: (id) => blobs.hold(id),
      readUpload: (id) => blobs.readUpload(id),
      uploadPath: (id) => blobs.uploadPath(id),
      listUploads: () => blobs.listUploads(),
      verify: async (...all) => {
        const verified = await blobs.verify(...all)
        const place = async () => {
          await this.#reach('place')
          await verified.place()
        }
        return { size: verified.size, place, [Symbol.dispose]: () => verified[Symbol.dispose]() }
      },
      delete: async (digests) => {
        await this.#reach('delete')
        return blobs.delete(digests)
      },
      [Symbol.asyncDispose]: () => blobs[Symbol.asyncDispose](),
    }
  }

  async #reach(hook: Hook): Promise<void> {
    const interrupt = this.#hooks.get(hook)
    this.#hooks.delete(hook)
    await interrupt?.()
  }

  async #run(command: Command | { readonly do: 'collect' }): Promise<void> {
    switch (command.do) {
      case 'push':
        return this.#push(command)
      case 'collect':
        return this.#collect('beforeDelete' in command ? command : { beforeDelete: [], beforeForget: [] })
      case 'advance':
        this.#model.now += command.minutes * 60_000
        return
      case 'expire':
        this.#model.expected.length = 0
        await expireUploads(this.#storage, new Date(8.64e15), () => undefined)
        this.#model.forgetPushes()
        while ((await this.#storage.metadata.expireV1Pushes(new Date('9999-12-31'), 2)) > 0) continue
        return
      case 'restart':
        return this.#restart()
      case 'crash':
        this.#crashed = true
        throw new Crash()
      case 'delete image':
        this.#deletions.set(command.image, (this.#deletions.get(command.image) ?? 0) + 1)
        this.#model.deleteImage(command.image)
        await this.#storage.metadata.deleteImage({ repository: keyOf(command.image), image: app })
        return
      case 'announce':
      case 'send json':
      case 'send layer':
      case 'complete':
      case 'tag V1 image':
      case 'end push':
        return this.#runV1(command)
      default:
        assert.equal(await this.#ask(command), this.#expect(command), `the outcome of ${JSON.stringify(command)}`)
    }
  }

  async #push({ image, blob, beforePlace, beforeLink }: Command & { do: 'push' }): Promise<void> {
    const repository = this.#repository(image)
    const deletions = this.#deletions.get(image)
    const id = await repository.begin(app, 'sha256')
    await repository.append(app, id, 0, Readable.from([Buffer.from(contentOf(blob))]))
    this.#model.expected.push(blob)
    this.#interruptWith('place', beforePlace)
    this.#interruptWith('link', beforeLink)
    try {
      await repository.finish(app, id, digestOfBlob(blob))
    } catch (error) {
      if (this.#deletions.get(image) !== deletions && isUploadUnknown(error)) return this.#forgetUpload(blob)
      if (!(error instanceof Crash)) throw error
      const placed = !this.#hooks.delete('link') // its bytes lie in place, and recovery finds them there
      if (placed) this.#becomeBlob(image, blob, this.#deletions.get(image) === deletions)
      throw error
    }
    this.#becomeBlob(image, blob, true)
  }

  /** Its image was deleted before it could end. */
  #forgetUpload(blob: BlobName): void {
    this.#model.expected.splice(this.#model.expected.indexOf(blob), 1)
  }

  #becomeBlob(image: ImageName, blob: BlobName, linked: boolean): void {
    this.#forgetUpload(blob)
    this.#model.store(blob)
    if (linked) this.#model.link(image, blob)
  }

  async #collect({ beforeDelete, beforeForget }: Omit<Command & { do: 'collect' }, 'do'>): Promise<void> {
    this.#model.collect()
    this.#interruptWith('delete', beforeDelete)
    this.#interruptWith('forget', beforeForget)
    const rules = { graceMs, keepUntaggedMs: new Map(imageNames.map((name) => [keyOf(name), keepUntaggedMs[name]])) }
    const { signal } = new AbortController()
    const failures: unknown[] = []
    await new Collector(this.#storage, rules, () => new Date(this.#model.now)).collect(signal, (collected) => {
      if (collected.kind === 'failure') failures.push(collected.error)
    })
    this.#hooks.delete('delete')
    this.#hooks.delete('forget')
    if (failures.length > 0) throw failures[0]
  }

  #interruptWith(hook: Hook, commands: readonly (Simple | Push | Advance | { readonly do: 'collect' })[]): void {
    this.#hooks.set(hook, async () => {
      for (const command of commands) await (command.do === 'push' ? this.#pushMeanwhile(command) : this.#run(command))
    })
  }

  /** When its blob is just being deleted it goes on after that, and until then nothing more can come of it. */
  async #pushMeanwhile(push: Push): Promise<void> {
    this.#pushWaits = Promise.withResolvers()
    const pushed = this.#push({ ...push, beforePlace: [], beforeLink: [] })
    this.#background.push(pushed)
    await Promise.race([pushed, this.#pushWaits.promise])
  }

  async #restart(): Promise<void> {
    this.#hooks.clear()
    this.#crashed = false
    await this.#storage.metadata[Symbol.asyncDispose]()
    await this.#open()
    await recoverUploads(this.#storage, () => undefined)
    await this.#collect({ beforeDelete: [], beforeForget: [] })
  }

  async #runV1(command: V1Command | SendLayer): Promise<void> {
    const repository = new V1Repository(this.#repository(command.image), this.#storage)
    const { pushes } = this.#model.image(command.image)
    const layer = command.do === 'complete' ? pushes.get(command.v1)?.layer : undefined
    const blob = command.do === 'send layer' ? command.blob : layer
    const outcome = await askV1(repository, command, blob && contentOf(blob))
    assert.equal(outcome, this.#expectV1(command), `the outcome of ${JSON.stringify(command)}`)
  }

  #expectV1(command: V1Command | SendLayer): Outcome {
    const model = this.#model
    switch (command.do) {
      case 'announce':
        model.announce(command.image, command.v1s)
        return 'done'
      case 'send json':
        return model.sendJson(command.image, command.v1)
      case 'send layer':
        return model.sendLayer(command.image, command.v1, command.blob)
      case 'complete':
        return model.complete(command.image, command.v1)
      case 'tag V1 image':
        return model.tagV1(command.image, command.v1, command.tag)
      case 'end push':
        model.endPush(command.image)
        return 'done'
    }
  }

  #expect(command: PlainCommand): Outcome {
    const model = this.#model
    switch (command.do) {
      case 'rely on blob':
        return model.relyOnBlob(command.image, command.blob)
      case 'delete blob':
        return model.deleteBlob(command.image, command.blob)
      case 'mount':
        return model.mount(command.image, command.blob, command.from)
      case 'put':
        return model.put(command.image, command.manifest, command.tags)
      case 'cache':
        return model.cache(command.image, command.manifest, command.tag)
      case 'uncache':
        return model.uncache(command.image, command.manifest)
      case 'rely on manifest':
        return model.relyOnManifest(command.image, command.manifest)
      case 'delete manifest':
        return model.deleteManifest(command.image, command.manifest)
      case 'delete tag':
        return model.deleteTag(command.image, command.tag)
    }
  }

  async #ask(command: PlainCommand): Promise<Outcome> {
    const repository = this.#repository(command.image)
    const of = { repository: keyOf(command.image), image: app }
    const done = (found: unknown): Outcome => (found ? 'done' : 'absent')
    try {
      switch (command.do) {
        case 'rely on blob':
          return done(await repository.blob(app, digestOfBlob(command.blob), { use: 'rely' }))
        case 'delete blob':
          return done(await repository.deleteBlob(app, digestOfBlob(command.blob)))
        case 'mount': {
          const from = { repository: keyOf(command.from), image: app }
          return done(await repository.mount(app, digestOfBlob(command.blob), from))
        }
        case 'put':
          await repository.putManifest(app, manifestOf(command.manifest), command.tags.map(parseTag))
          return 'done'
        case 'cache': {
          const manifest = manifestOf(command.manifest)
          const contents = parseManifest(manifest.mediaType, manifest.bytes)
          const tag = command.tag === undefined ? undefined : parseTag(command.tag)
          await this.#storage.metadata.cacheManifest(of, manifest, contents, tag)
          return 'done'
        }
        case 'uncache':
          return done(await this.#storage.metadata.uncacheManifest(of, { digest: digestOf(command.manifest) }))
        case 'rely on manifest':
          return done(await repository.manifest(app, { digest: digestOf(command.manifest) }, { use: 'rely' }))
        case 'delete manifest':
          return done(await repository.deleteManifest(app, { digest: digestOf(command.manifest) }))
        case 'delete tag':
          return done(await repository.deleteManifest(app, { tag: parseTag(command.tag) }))
      }
    } catch (error) {
      if (error instanceof RegistryError && ['DENIED', 'MANIFEST_BLOB_UNKNOWN'].includes(error.code)) return 'refused'
      throw error
    }
  }

  async #compare(): Promise<void> {
    for (const name of imageNames) {
      const { manifests, tags, links } = this.#model.image(name)
      const found = await this.#look(this.#repository(name))
      assert.deepEqual(
        found.manifests,
        manifestNames.filter((it) => manifests.has(it)),
        `manifests of ${name}`,
      )
      assert.deepEqual(
        found.links,
        blobNames.filter((it) => links.has(it)),
        `blobs of ${name}`,
      )
      assert.deepEqual(
        found.tags,
        tagNames.map((it) => tags.get(it)),
        `tags of ${name}`,
      )
    }
    const files = await allOf(this.#storage.blobs.listBlobs())
    assert.deepEqual([...files].sort(), [...this.#model.blobs.keys()].map(digestOfBlob).sort(), 'blobs in the store')
  }

  async #look(repository: LocalRepository) {
    const manifests: ManifestName[] = []
    const links: BlobName[] = []
    const tags: (ManifestName | undefined)[] = []
    for (const name of manifestNames)
      if (await repository.manifest(app, { digest: digestOf(name) })) manifests.push(name)
    for (const name of blobNames) if (await repository.blob(app, digestOfBlob(name))) links.push(name)
    for (const name of tagNames) {
      const digest = (await repository.manifest(app, { tag: parseTag(name) }))?.digest
      tags.push(manifestNames.find((manifest) => digestOf(manifest) === digest))
    }
    return { manifests, links, tags }
  }

  #repository(name: ImageName): LocalRepository {
    const repository = this.#repositories.get(name)
    assert.ok(repository)
    return repository
  }
}

function isUploadUnknown(error: unknown): boolean {
  return error instanceof RegistryError && error.code === 'BLOB_UPLOAD_UNKNOWN'
}

function digestOf(name: ManifestName): Digest {
  return v1Images.get(name)?.digest ?? manifestOf(name).digest
}

function manifestOf(name: ManifestName): Manifest {
  const manifest = manifests.get(name)
  assert.ok(manifest, `${name} names what comes after it`)
  return manifest
}

function build(name: ManifestName): Manifest {
  const { blobs, entries, subject } = shapes[name]
  const kind = entries.length > 0 ? 'index' : 'manifest'
  const mediaType = `application/vnd.oci.image.${kind}.v1+json`
  const [config, ...layers] = blobs.map((blob) => ({
    mediaType: 'application/octet-stream',
    digest: digestOfBlob(blob),
    size: contentOf(blob).length,
  }))
  const named = entries.length > 0 ? { manifests: entries.map(describe) } : { config, layers }
  const body = { schemaVersion: 2, mediaType, ...named, ...(subject && { subject: describe(subject) }) }
  const bytes = Buffer.from(JSON.stringify(body))
  return { mediaType, bytes, digest: sha256(bytes) }
}

function describe(name: ManifestName) {
  const { mediaType, digest, bytes } = manifestOf(name)
  return { mediaType, digest, size: bytes.byteLength }
}
