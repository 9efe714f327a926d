import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { mutated, type Mutation } from '../helpers/mutation.ts'
import { campaign } from './campaign.ts'
import { withoutFileOperations } from './file-operations.ts'
import { powerCuts } from './power-cuts.ts'

/** What the product would no longer do, and where it does it. */
type Broken = Mutation & { readonly without: string; readonly only?: readonly string[] }

const files = 'registry/storage/durable-files.ts'
const blobs = 'registry/storage/filesystem-blobs.ts'
const keptBlobs = 'registry/repositories/kept-blobs.ts'
const fetch = 'registry/repositories/remote/blob-fetch.ts'
const v1Pushes = 'registry/repositories/local/v1-pushes.ts'

/** Only what was synced is there after a power cut. */
const seenByPowerCuts: readonly Broken[] = [
  { without: 'the sync of the bytes', file: blobs, find: 'await orFull(file.datasync())', replace: '' },
  {
    without: 'the sync of the directory that a blob is moved to',
    file: files,
    find: 'await rename(from, to)\n  await syncDirectory(dirname(to))',
    replace: 'await rename(from, to)',
  },
  {
    without: 'the sync of the directory that a directory is made in',
    file: files,
    find: 'made = dirname(made)) await syncDirectory(dirname(made))',
    replace: 'made = dirname(made)) await Promise.resolve()',
  },
  {
    without: 'the sync of the password that was made for the admin',
    file: 'registry/identity/first-admin.ts',
    find: 'await handle.sync()',
    replace: '',
  },
  {
    without: 'the sync of the transaction',
    file: 'registry/storage/sqlite-metadata.ts',
    find: 'pragma synchronous = full',
    replace: 'pragma synchronous = normal',
  },
  {
    without: 'the sync of the directory that a blob is deleted from',
    file: files,
    find: 'if (existsSync(directory)) await syncDirectory(directory)',
    replace: 'await Promise.resolve()',
  },
]

/** Whatever a process did is there after it was killed: the order of what it does matters. */
const seenByKills: readonly Broken[] = [
  {
    without: 'the bytes of a blob before its row',
    only: ['push a blob', 'go on with an upload'],
    file: keptBlobs,
    find: `  await verified.place()
  try {
    await metadata.linkBlob(of, expected, verified.size, { maxRepositoryBytes, upload: id })`,
    replace: `  try {
    await metadata.linkBlob(of, expected, verified.size, { maxRepositoryBytes, upload: id })
    await verified.place()`,
  },
  {
    without: 'the row of a blob until its bytes are gone',
    only: ['collect garbage'],
    file: 'registry/jobs/collector.ts',
    find: 'await blobs.delete(digests)\n      await metadata.forgetBlobs(digests)',
    replace: 'await metadata.forgetBlobs(digests)\n      await blobs.delete(digests)',
  },
  {
    without: 'a look for the blob that an upload has become',
    only: ['push a blob', 'go on with an upload'],
    file: 'registry/jobs/upload-recovery.ts',
    find: 'const blob = expected && (await blobs.stat(expected))',
    replace: 'const blob = undefined as { size: number } | undefined',
  },
  {
    without: 'the removal of what a killed process has left',
    only: ['start an upload', 'cancel an upload'],
    file: 'registry/start.ts',
    find: 'await recoverUploads(storage, (key) => quotaBytesOf(config.repositories[key]))',
    replace: '',
  },
  {
    without: 'a look at the digest of what had come in',
    only: ['pull a blob that breaks off', 'pull a blob of unknown size'],
    file: blobs,
    find: 'if (actual !== expected) throw',
    replace: 'if (expected === undefined) throw',
  },
  {
    without: 'a look for what had come in of a blob',
    only: ['pull an image'],
    file: fetch,
    find: 'const kept = await FetchedUpload.find(this.#parts.storage, this.#wanted)',
    replace: 'const kept = undefined as FetchedUpload | undefined',
  },
  {
    without: 'the bytes of a V1 layer before the push that has it',
    only: ['push the layer of a V1 image'],
    file: v1Pushes,
    find: `      digest: (upload) => this.#blobs.digest(upload),`,
    replace: `      digest: async (upload) => {
        const digest = await this.#blobs.digest(upload)
        const early = { digest, size: 1, checksum: digest, tarsum: undefined, tarsumV1: undefined, isTarsumCertain: false }
        await this.#metadata.setPushedLayer({ repository: this.#local.key, image, principal }, parseV1Image(json), early)
        return digest
      },`,
  },
  {
    without: 'a transaction around what a complete V1 image consists of',
    only: ['push the checksum of a V1 image'],
    file: 'registry/storage/sql-v1-images.ts',
    find: `      db.transaction().execute(async (db) => {
        const at = now().toISOString()
        const kept = await layerKeptInstead(`,
    replace: `      Promise.resolve().then(async () => {
        const at = now().toISOString()
        const kept = await layerKeptInstead(`,
  },
  {
    without: 'an end of V1 pushes that nobody goes on with',
    only: ['push the layer of a V1 image'],
    file: 'registry/jobs/garbage-collection.ts',
    find: 'while ((await storage.metadata.expireV1Pushes(since, pushesAtOnce)) > 0) continue',
    replace: '',
  },
  {
    without: 'a look at whether a V1 push holds an image',
    only: ['end a push of V1 images'],
    file: 'registry/storage/sql-garbage.ts',
    find: 'where is_open = 1',
    replace: 'where is_open = 2',
  },
]

describe('the harness sees a registry', { skip: withoutFileOperations() }, () => {
  for (const broken of seenByPowerCuts)
    test(`without ${broken.without}`, async (t) => {
      const env = await mutated(broken)
      const { cuts, problems } = await powerCuts({ rounds: 1, cuts: 200, seed: 1, env, untilProblem: true })
      t.diagnostic(`after ${cuts} power cuts: ${problems[0]}`)
      assert.notDeepEqual(problems, [])
    })

  for (const broken of seenByKills)
    test(`without ${broken.without}`, async (t) => {
      const { only = [] } = broken
      const env = await mutated(broken)
      const { kills, problems } = await campaign({ kills: 100, seed: 1, env, only, untilProblem: true })
      t.diagnostic(`after ${kills} kills: ${problems[0]}`)
      assert.notDeepEqual(problems, [])
    })
})
