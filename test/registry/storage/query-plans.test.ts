import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { mock, test } from 'node:test'
import { parseTag } from '../../../registry/domain/names.ts'
import { parseV1Image } from '../../../registry/domain/v1-image.ts'
import { parsePropertyName, parsePropertyValue } from '../../../registry/domain/property.ts'
import { newUploadId } from '../../../registry/domain/upload-id.ts'
import { openSqliteMetadata } from '../../../registry/storage/sqlite-metadata.ts'
import type { MetadataStore } from '../../../registry/storage/metadata-store.ts'
import { sha256 } from '../../contracts/blob-store.ts'
import { ref } from '../../contracts/metadata-store.ts'
import { target, userNamed } from '../../helpers/users.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'

const [app, other] = [ref('docker-local', 'app'), ref('docker-local', 'other')]
const far = new Date('2099-01-01')

/** Asks for everything that is asked while the registry runs. */
async function useAll(store: MetadataStore): Promise<void> {
  const manifest = (content: string) => ({ digest: sha256(content), mediaType: 'a/b', bytes: Buffer.from(content) })
  const contents = { blobs: [sha256('a')], entries: [], subject: undefined, artifactType: undefined }
  const [finished, cancelled, released] = [newUploadId(), newUploadId(), newUploadId()]
  const limits = { principal: 'alice', maxUploads: 9, maxRepositoryBytes: 1000 }
  for (const id of [finished, cancelled, released]) await store.addUpload(app, id, { ...limits, fetches: sha256('a') })
  await store.findFetch(app, sha256('a'))
  await store.ownsUpload(app, finished)
  await store.expectBlob(finished, sha256('a'))
  await store.linkBlob(app, sha256('a'), 1, { upload: finished, maxRepositoryBytes: 1000 })
  await store.removeUpload(cancelled)
  await store.findUploadOwner(released)
  await store.releaseBlob(released, sha256('b'), 1)
  await store.mountBlob(other, sha256('a'), app, limits)
  await store.imagesWithBlob(sha256('a'), 10)
  await store.putManifest(app, manifest('one'), contents, [parseTag('v1')])
  const child = { blobs: [], entries: [sha256('one')], subject: sha256('one'), artifactType: 'x' }
  await store.putManifest(app, manifest('two'), child, [])
  for (const use of ['read', 'rely'] as const) {
    await store.findBlob(app, sha256('a'), use)
    await store.findManifest(app, { tag: parseTag('v1') }, use)
    await store.findManifest(app, { digest: sha256('two') }, use)
  }
  await store.findTagTime(app, parseTag('v1'))
  await store.listTags(app, undefined, 10)
  await store.listImages(app.repository, undefined, 10)
  for (const artifactType of [undefined, 'x'])
    await store.listReferrers(app, { subject: sha256('one'), artifactType, after: undefined, limit: 4 })
  await store.repositoryBytes(app.repository)
  await store.noteLayerContent({ digest: sha256('a'), diffId: sha256('b'), packing: 'gzip', inGzip: undefined })
  await store.findLayerContent(sha256('a'))
  await store.isBlobKnown(sha256('a'))
  await store.isQuarantined(sha256('a'))
  await store.judgeBlob(sha256('a'), async () => 'kept')
  await store.listHolders(sha256('a'))
  await store.listStoredBlobs(undefined, 10)
  await store.listPlacedManifests(undefined, 10)
  await store.findUnheldManifests(app.repository, far, 10)
  await store.findUnheldLinks(far, 10)
  await store.findUnheldBlobs(far, 10)
  await store.deleteManifest(app, { tag: parseTag('v1') })
  await assert.rejects(store.deleteManifest(app, { digest: sha256('one') }), { code: 'DENIED' })
  await store.collectManifests(app.repository, far, 10)
  await store.unlinkBlob(other, sha256('a'))
  await store.linkBlob(other, sha256('c'), 1)
  await store.deleteImage(other)
  while ((await store.clearDeletedImages(10)).reviewed > 0) continue
  await store.collectLinks(far, 10)
  await store.condemnBlobs(far, 10)
  await store.reprieveBlob(sha256('b'))
  await store.forgetBlobs(await store.listCondemnedBlobs(10))
  await useProperties(store)
  await useCache(store)
  await useV1(store)
  await useAccess(store)
}

async function useProperties(store: MetadataStore): Promise<void> {
  const [name, v1] = [parsePropertyName('qa'), parseTag('v1')]
  const manifest = { digest: sha256('shown'), mediaType: 'a/b', bytes: Buffer.from('shown') }
  const nothing = { blobs: [], entries: [], subject: undefined, artifactType: undefined }
  await store.putManifest(other, manifest, nothing, [v1])
  for (const tag of [undefined, v1]) {
    await store.setProperty(other, tag, name, [parsePropertyValue('passed')])
    await store.propertiesOf(other, tag)
    await store.removeProperty(other, tag, name)
  }
  await store.searchImages(other.repository, 'app', undefined)
  for (const reference of [{ tag: v1 }, { digest: manifest.digest }]) await store.findStoredManifest(other, reference)
  await store.listBlobsOf(other, manifest.digest, undefined, 10)
  await store.findBlobOf(other, manifest.digest, sha256('a'))
  await store.listStandingAlone(other, undefined, 10)
  await store.nextV1Image(other.repository, '')
}

async function useCache(store: MetadataStore): Promise<void> {
  const manifest = { digest: sha256('cached'), mediaType: 'a/b', bytes: Buffer.from('cached') }
  const contents = { blobs: [sha256('far')], entries: [], subject: undefined, artifactType: undefined }
  for (const tag of [undefined, parseTag('v1')]) await store.cacheManifest(other, manifest, contents, tag)
  await store.findTagTime(other, parseTag('v1'))
  await store.findNaming(other, sha256('far'))
  await store.findHolder(other.repository, sha256('far'))
  await store.noteUse(other, manifest.digest, far)
  await store.uncacheManifest(other, { tag: parseTag('v1') })
  await store.removeUnused(other.repository, new Date('2099-12-31'), 10)
  await store.uncacheManifest(other, manifest)
}

async function useV1(store: MetadataStore): Promise<void> {
  const push = { ...app, principal: 'alice' }
  const image = parseV1Image(Buffer.from(JSON.stringify({ id: 'a'.repeat(64) })))
  const child = parseV1Image(Buffer.from(JSON.stringify({ id: 'b'.repeat(64), parent: image.id })))
  const layer = {
    digest: sha256('layer'),
    checksum: sha256('checksum'),
    tarsum: 'tarsum',
    tarsumV1: 'v1',
    isTarsumCertain: true,
    size: 1,
  }
  await store.announceV1(push, [image.id])
  await store.setPushedJson(push, image.id, image.json)
  await store.setPushedLayer(push, image, layer)
  await store.findPushedV1(app.repository, image.id, 'alice')
  await store.linkBlob(app, layer.digest, 1)
  for (const each of [image, child]) await store.putV1Image(app, each, layer)
  await store.copyV1Images(other, app, child.id)
  await store.findV1Images(app.repository, image.id)
  await store.v1Ancestry(app, child.id)
  await store.listV1Images(app, undefined, 10)
  await store.putV1Tag(app, parseTag('v1'), child.id, () => false)
  await store.findV1Tag(app, parseTag('v1'))
  await store.listV1Tags(app)
  await store.endV1Push(push)
  await store.expireV1Pushes(far, 10)
  await store.findUnheldManifests(app.repository, far, 10)
  await store.findUnheldLinks(far, 10)
}

async function useAccess(store: MetadataStore): Promise<void> {
  const group = { name: 'devs', description: '', autoJoin: true, admins: false }
  const token = {
    id: 'one',
    kind: 'access',
    user: 'alice',
    secretHash: '',
    scope: '',
    standsAlone: false,
    passwordStamp: undefined,
    description: '',
  } as const
  const realmUser = { name: 'bob', realm: 'ldap', email: undefined, realmGroups: [] } as const
  await store.accessVersion()
  await store.putGroup(group, ['alice'])
  await store.addUser(userNamed('alice', { admin: true }), ['devs'])
  await store.changeUser('alice', { passwordHash: 'new', email: undefined, admin: false })
  for (const admin of [false, true]) await store.keepRealmUser({ ...realmUser, admin })
  await store.recordLogin('alice', far)
  await store.setGroupsOf('alice', ['devs'])
  await store.removeMember('devs', 'alice')
  await store.addMember('devs', 'alice')
  await store.findUser('alice')
  await store.findGroup('devs')
  await store.groupsOf('alice')
  await store.membersOf('devs')
  await store.putTarget(target('A', { users: { alice: ['read'] } }))
  await store.putGrants('A', { users: { alice: ['read'] }, groups: {} })
  await store.findTarget('A')
  for (const id of ['one', 'two'])
    await store.addToken({ ...token, id, issuedAt: far, expiresAt: far, lastUsedAt: far }, 1)
  await store.findToken('two')
  await store.recordTokenUse('two', far)
  await store.listTokens('alice')
  await store.removeToken('two')
  await store.removeExpiredTokens(far)
  await store.addSigningKey({ id: 'key', jwk: '', madeAt: far }, far, far)
  await store.listSigningKeys()
  await store.secret('key', async () => 'value')
  await store.listUsers()
  await store.listGroups()
  await store.listTargets()
  await store.listTokens(undefined)
  await store.removeTarget('A')
  await store.removeGroup('devs')
  await store.removeUser('alice')
}

async function statementsOf(use: (store: MetadataStore) => Promise<void>, file: string): Promise<readonly string[]> {
  await using store = await openSqliteMetadata(file)
  const spy = mock.method(DatabaseSync.prototype, 'prepare')
  await use(store)
  const statements = spy.mock.calls.map(({ arguments: [sql] }) => sql)
  spy.mock.restore()
  return [...new Set(statements)].filter((sql) => !/^(begin|commit|rollback)/i.test(sql))
}

test('no statement reads a whole table, sorts, or looks through all that an image has', async () => {
  await using directory = await temporaryDirectory()
  const file = join(directory.path, 'caisson.db')
  const statements = await statementsOf(useAll, file)
  assert.ok(statements.length > 60, `only ${statements.length} statements were seen`)
  using database = new DatabaseSync(file)
  const found = statements.flatMap((sql) => {
    const places = sql.match(/\?/g)?.length ?? 0
    const plan = database.prepare(`explain query plan ${sql}`).all(...Array<number>(places).fill(1))
    const bad = plan.map(({ detail }) => String(detail)).filter((detail) => isCostly(detail, sql))
    return bad.length > 0 ? [`${sql.replaceAll(/\s+/g, ' ')}\n    ${bad.join('\n    ')}`] : []
  })
  assert.deepEqual(found, [])
})

/** Scans of what is small: recursion, the rows of one page, groups, a few keys, the first two admins. */
const small =
  /^SCAN (queued|naming|n|c|\d+-ROW VALUES CLAUSE|\(subquery.*|CONSTANT.*|groups|signing_keys|users USING COVERING INDEX admins)$/

function isCostly(detail: string, sql: string): boolean {
  if (mayLookAtAll.some((pattern) => pattern.test(sql.trim()))) return false
  if (/TEMP B-TREE|AUTOMATIC/.test(detail) || (detail.startsWith('SCAN ') && !small.test(detail))) return true
  return / \(image_id=\?( AND digest>\?)?\)$/.test(detail)
}

/** They end at the first row, take a number of rows whichever they are, or have all of an image to do with. */
const mayLookAtAll = [
  /^(insert into|delete from) "images"/,
  /^select "name" from "images" .* exists .* limit \?$/,
  /^select i\.id from images i where .* exists .* limit 1$/s,
  /^select "digest" from "(manifests|image_blobs)" where "image_id" = \? limit \?$/,
  /^update repository_usage set bytes = bytes - coalesce/,
  /^with recursive naming/,
  /^select "name", "value" from "image_properties" where "image_id" = \? order by/,
  /^select i\.name as image, coalesce\(.* and exists \(select 1 from tags t where t\.image_id = i\.id\)\s+order by i\.name$/s,
  /as "standsAlone" from "images" .* "manifests"\."digest" > \? order by "manifests"\."digest" limit \?$/s,
  /^select t\.name as tag, v\.id from images .* order by t\.name$/s,
  // Who may do what is asked for whole, once after each change of it; users, groups and tokens when a person wants to see them all.
  /^select \* from "(users|groups|permission_targets|permission_grants)" order by "(name|target_name)"$/,
  /^select \* from "access_tokens" (where "user_name" = \? )?order by "issued_at" desc, "id"$/,
]
