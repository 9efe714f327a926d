import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { mutated, type Mutation } from '../../helpers/mutation.ts'
import { attempt } from '../../helpers/program.ts'

const model = fileURLToPath(new URL('garbage-model.test.ts', import.meta.url))
const garbage = 'registry/storage/sql-garbage.ts'
const pushes = 'registry/storage/sql-v1-pushes.ts'
const collector = 'registry/jobs/collector.ts'

/** What the product would no longer do, and where it does it. */
const mutations: readonly (Mutation & { readonly without: string })[] = [
  {
    without: 'a time of grace for blobs that no manifest names yet',
    file: collector,
    find: 'links: before(graceMs)',
    replace: 'links: before(1)',
  },
  {
    without: 'a minute for readers who have been told the file',
    file: collector,
    find: 'blobs: before(Math.min(readersMs, graceMs))',
    replace: 'blobs: before(1)',
  },
  {
    without: 'a week for manifests without tag',
    file: collector,
    find: 'before(Math.max(keepMs, graceMs))',
    replace: 'before(graceMs)',
  },
  {
    without: 'a look whether an image has the blob',
    file: garbage,
    find: 'exists (select 1 from image_blobs l where l.digest = q.digest) as linked',
    replace: '0 as linked',
  },
  {
    without: 'a look whether an upload is about to become the blob',
    file: garbage,
    find: 'exists (select 1 from uploads u where u.expected = q.digest) as expected',
    replace: '0 as expected',
  },
  {
    without: 'a look whether a manifest names the blob',
    file: garbage,
    find: 'exists (select 1 from manifest_references r where r.image_id = q.image_id and r.digest = q.digest)\n        or exists (select 1 from ${openPushes} p',
    replace: '0\n        or exists (select 1 from ${openPushes} p',
  },
  {
    without: 'a look whether an index names the manifest',
    file: garbage,
    find: 'or exists (select 1 from manifest_references r where r.image_id = q.image_id and r.digest = q.digest)\n',
    replace: '\n',
  },
  {
    without: 'a subject holding what refers to it',
    file: garbage,
    find: 'or exists (select 1 from manifests s where s.image_id = q.image_id and s.digest = m.subject)',
    replace: '',
  },
  {
    without: 'HEAD of a blob renewing its time',
    file: 'registry/storage/sql-blob-links.ts',
    find: 'if (queued) await reviewLink(db, queued.id, digest, now().toISOString())',
    replace: '',
  },
  {
    without: 'HEAD of a manifest renewing its time',
    file: 'registry/storage/sql-manifests.ts',
    find: 'if (queued) await reviewManifest(db, queued.id, reference.digest, now().toISOString())',
    replace: '',
  },
  {
    without: 'a push waiting for the deletion of the same blob',
    file: 'registry/storage/sql-upload-owners.ts',
    find: 'if (await isBeingDeleted(db, digest)) return false',
    replace: '',
  },
  {
    without: 'the row staying until the bytes are gone',
    file: collector,
    find: 'await blobs.delete(digests)\n      await metadata.forgetBlobs(digests)',
    replace: 'await metadata.forgetBlobs(digests)\n      await blobs.delete(digests)',
  },
  {
    without: 'what a killed process had condemned being deleted',
    file: collector,
    find: 'await this.#buryLeftovers(signal, tell)',
    replace: '',
  },
  {
    without: 'a blob that was not yet linked being found after a crash',
    file: 'registry/jobs/upload-recovery.ts',
    find: 'if (!blob || (await metadata.isQuarantined(expected))) return metadata.removeUpload(id)',
    replace: 'return metadata.removeUpload(id)',
  },
  {
    without: 'a tag that moves on leaving its manifest to review',
    file: 'registry/storage/sql-kept-manifests.ts',
    find: 'await reviewManifest(db, image_id, before, updated_at)',
    replace: '',
  },
  {
    without: 'a push of what was only cached being refused while it is not whole',
    file: 'registry/storage/sql-manifests.ts',
    find: 'const cached = await leaveCache(db, imageId, manifest.digest)',
    replace: 'const cached = false',
  },
  {
    without: 'a manifest that goes leaving what it holds to review',
    file: 'registry/storage/sql-removals.ts',
    find: 'await reviewWhatItHolds(db, imageId, digest, at)',
    replace: '',
  },
  {
    without: 'a deleted image leaving its blobs to review',
    file: 'registry/storage/sql-deleted-images.ts',
    find: 'await reviewBlob(db, digest, at)',
    replace: '',
  },
  {
    without: 'an open push by the V1 API holding its images',
    file: garbage,
    find: 'where is_open = 1',
    replace: 'where is_open = 2',
  },
  {
    without: 'an open push by the V1 API holding its layers',
    file: garbage,
    find: 'p.layer = q.digest',
    replace: 'p.layer is null',
  },
  {
    without: 'the end of a push by the V1 API leaving what it held to review',
    file: pushes,
    find: 'await reviewWhatIsLetGo(db, ended, at)',
    replace: '',
  },
  {
    without: 'a layer that another one takes the place of being left to review',
    file: pushes,
    find: 'p.layer <> ${digest}`, touched_at)',
    replace: 'p.layer is null`, touched_at)',
  },
  {
    without: 'an image of the V1 API holding its parent',
    file: 'registry/storage/sql-v1-images.ts',
    find: 'entries.push(found)',
    replace: '',
  },
]

for (const { without, ...mutation } of mutations)
  test(`the model of garbage collection finds out when the product does without ${without}`, async () => {
    const env = { ...(await mutated(mutation)), GARBAGE_MODEL_RUNS: '3000' }
    const { exitCode, stdout } = await attempt(process.execPath, ['--test', model], { env, timeoutMs: 600_000 })
    assert.equal(exitCode, 1)
    const [failed] = /Property failed after \d+ tests/.exec(stdout) ?? []
    assert.ok(failed, stdout)
  })
