import assert from 'node:assert/strict'
import { statfs } from 'node:fs/promises'
import { test } from 'node:test'
import { RawConnection, type RawAnswer } from '../../helpers/raw-connection.ts'
import { locationOf, type Answer, type RegistryClient } from '../../helpers/registry-client.ts'
import { admin as adminLogin, startTestRegistry, type TestRegistry } from '../../helpers/registry.ts'
import { addUser } from '../../helpers/users.ts'
import { noTinyFilesystem, tinyFilesystem } from '../../helpers/tiny-filesystem.ts'
import { digestOfBytes, ociManifest, tinyImage } from '../../helpers/tiny-image.ts'

const mebibyte = 1024 * 1024

function messageOf(answer: Answer): string {
  return (answer.json() as { readonly errors: readonly { readonly message: string }[] }).errors[0]?.message ?? ''
}

function detailOf(answer: Answer): unknown {
  return (answer.json() as { readonly errors: readonly { readonly detail?: unknown }[] }).errors[0]?.detail
}

function begin(client: RegistryClient, image = 'hello'): Promise<Answer> {
  return client.ask('POST', `${image}/blobs/uploads/`)
}

function pushAtOnce(client: RegistryClient, image: string, bytes: string): Promise<Answer> {
  return client.ask('POST', `${image}/blobs/uploads/?digest=${digestOfBytes(bytes)}`, { body: bytes })
}

test('a manifest that is larger than configured is refused, with the number', async () => {
  await using registry = await startTestRegistry({ limits: { manifestSize: '2KiB' } })
  const { admin } = registry
  await admin.push('hello', '1', tinyImage('fits'))
  const large = tinyImage('fits', { annotations: { large: 'x'.repeat(2048) } })
  const refused = await admin.putManifest('hello', '2', large)
  assert.equal(refused.status, 413)
  assert.equal(messageOf(refused), 'the manifest is larger than the 2 KiB that this registry accepts')
  assert.deepEqual(detailOf(refused), { maxBytes: 2048 })
})

test('who has begun too many uploads is told 429 until one of them ends, and nobody else is', async () => {
  await using registry = await startTestRegistry({ limits: { uploadsPerUser: 2 } })
  const dev = await addUser(registry, 'dev')
  const developer = registry.anonymous.as(dev)
  const [first, second] = [await begin(developer), await begin(developer, 'other')]
  assert.deepEqual([first.status, second.status], [202, 202])

  const refused = await begin(developer)
  assert.equal(refused.status, 429)
  assert.equal(refused.error(), 'TOOMANYREQUESTS')
  assert.match(messageOf(refused), /^dev has 2 unfinished uploads, and 2 are allowed: finish or cancel some, or wait/)
  assert.deepEqual(detailOf(refused), { uploads: 2, maxUploads: 2 })
  assert.equal((await pushAtOnce(developer, 'hello', 'at once')).status, 429)
  const token = await developer.token('repository:hello:pull,push')
  assert.equal((await begin(registry.anonymous.withToken(token))).status, 429)
  assert.equal((await begin(registry.admin)).status, 202)
  assert.equal((await registry.uploads()).length, 3, 'a refused upload left a file')

  assert.equal((await developer.ask('DELETE', locationOf(first))).status, 204)
  const third = await begin(developer)
  assert.equal(third.status, 202)
  const finished = await developer.ask('PUT', `${locationOf(third)}?digest=${digestOfBytes('x')}`, { body: 'x' })
  assert.equal(finished.status, 201)
  assert.equal((await pushAtOnce(developer, 'hello', 'at once')).status, 201)
  assert.equal((await begin(developer)).status, 202)
})

test('of many uploads that begin at the same time no more than allowed are let begin, also after a restart', async () => {
  await using registry = await startTestRegistry({ limits: { uploadsPerUser: 3 } })
  const answers = await Promise.all(Array.from({ length: 12 }, () => begin(registry.admin)))
  const begun = answers.filter(({ status }) => status === 202)
  assert.equal(begun.length, 3)
  assert.ok(answers.every(({ status }) => status === 202 || status === 429))
  await registry.restart()
  assert.equal((await begin(registry.admin)).status, 429)
})

test('a quota refuses the blob that would be more, with the numbers, and takes what still fits', async () => {
  await using registry = await startTestRegistry(withQuota('10B'))
  const { admin } = registry
  await admin.pushBlob('hello', Buffer.from('seven b'))
  const refused = await pushAtOnce(admin, 'hello', 'four')
  assert.equal(refused.status, 403)
  assert.equal(refused.error(), 'DENIED')
  assert.equal(
    messageOf(refused),
    'the quota of the repository docker-local is 10 B: 7 B are used, and the blob has 4 B; ' +
      'delete what is no longer needed, or ask an administrator for a larger quota',
  )
  assert.deepEqual(detailOf(refused), { repository: 'docker-local', quota: 10, used: 7, size: 4 })
  assert.equal((await admin.ask('HEAD', `hello/blobs/${digestOfBytes('four')}`)).status, 404)
  assert.deepEqual(await registry.uploads(), [])
  assert.equal((await pushAtOnce(admin, 'hello', 'tri')).status, 201)
})

test('a blob that the repository has already costs nothing, whichever of its images gets it', async () => {
  await using registry = await startTestRegistry(withQuota('10B'))
  const { admin } = registry
  const digest = await admin.pushBlob('hello', Buffer.from('eight by'))
  assert.equal((await pushAtOnce(admin, 'hello', 'eight by')).status, 201)
  assert.equal((await pushAtOnce(admin, 'other', 'eight by')).status, 201)
  const mounted = await admin.ask('POST', `third/blobs/uploads/?mount=${digest}&from=hello`)
  assert.equal(mounted.status, 201)
  assert.equal((await pushAtOnce(admin, 'hello', 'xy')).status, 201)
})

test('when the quota is used up no upload begins, and what is there can be pushed, mounted and pulled again', async () => {
  await using registry = await startTestRegistry(withQuota('900B'))
  const { admin, anonymous } = registry
  const image = tinyImage('kept')
  await admin.push('hello', '1', image)
  const filling = 900 - image.blobs.reduce((sum, { length }) => sum + length, 0)
  const digest = await admin.pushBlob('hello', Buffer.alloc(filling))

  const refused = await begin(admin)
  assert.equal(refused.status, 403)
  assert.match(messageOf(refused), /^the quota of the repository docker-local is 900 B: 900 B are used; delete what/)
  assert.deepEqual(await registry.uploads(), [])

  for (const blob of image.blobs)
    assert.equal((await admin.ask('HEAD', `hello/blobs/${digestOfBytes(blob)}`)).status, 200)
  assert.equal((await admin.putManifest('hello', '2', image)).status, 201)
  assert.equal((await anonymous.ask('GET', 'hello/manifests/2')).status, 200)
  assert.equal((await admin.ask('POST', `other/blobs/uploads/?mount=${digest}&from=hello`)).status, 201)

  assert.equal((await admin.at('/artifactory').ask('DELETE', 'docker-local/hello')).status, 204)
  assert.equal((await begin(admin)).status, 202)
})

test('a mount from another repository counts as a push does', async () => {
  await using registry = await startTestRegistry(withQuota('10B'))
  const { admin } = registry
  const prod = admin.at('/artifactory/api/docker/docker-prod/v2')
  const digest = await prod.pushBlob('hello', Buffer.from('far too many bytes'))
  const refused = await admin.ask('POST', `hello/blobs/uploads/?mount=${digest}&from=docker-prod/hello`)
  assert.equal(refused.status, 403)
  assert.deepEqual(detailOf(refused), { repository: 'docker-local', quota: 10, used: 0, size: 18 })
  assert.equal((await admin.ask('HEAD', `hello/blobs/${digest}`)).status, 404)
})

function withQuota(quota: string) {
  return { repositories: { 'docker-local': { type: 'local', quota }, 'docker-prod': { type: 'local' } } }
}

test('pushes leave the configured space free, pulls and deletions go on', { skip: noTinyFilesystem }, async () => {
  await using disk = await tinyFilesystem(32)
  await using registry = await startTestRegistry({
    storage: { filesystem: `${disk.path}/blobs` },
    limits: { freeSpace: '16MiB' },
    garbageCollection: { grace: '0s', every: '1h' },
  })
  const { admin, anonymous } = registry
  const image = tinyImage('kept')
  await admin.push('kept', '1', image)
  const digest = await admin.pushBlob('large', Buffer.alloc(8 * mebibyte, 'a'))
  const upload = await admin.beginUpload('large')

  const declared = await startPatch(registry, upload, [`Content-Length: ${12 * mebibyte}`, 'Expect: 100-continue'], [])
  assert.equal(declared.status, 507, 'the client was let go on')
  assert.match(
    JSON.stringify(declared.json()),
    /"UNAVAILABLE".*the registry's disk has (23\.\d|24) MiB left, of which 16 MiB are kept free, and 12 MiB more would be needed: /,
  )
  const chunks = Array.from({ length: 12 }, () => Buffer.alloc(mebibyte, 'b'))
  assert.equal((await startPatch(registry, upload, ['Transfer-Encoding: chunked'], chunks)).status, 507)
  assert.ok((await freeBytes(disk.path)) > 20 * mebibyte, 'what had come in was not taken back')

  await admin.pushBlob('large', Buffer.alloc(7 * mebibyte, 'c'))
  assert.equal((await startPatch(registry, upload, ['Transfer-Encoding: chunked'], chunks)).status, 507)
  assert.equal((await admin.ask('PATCH', upload, { body: Buffer.alloc(mebibyte) })).status, 507)
  const manifest = { headers: { 'content-type': ociManifest }, body: Buffer.alloc(mebibyte) }
  assert.equal((await admin.ask('PUT', 'kept/manifests/2', manifest)).status, 507)
  const v1 = admin.at('/artifactory/api/docker/docker-v1/v1')
  const id = 'd'.repeat(64)
  assert.equal((await v1.ask('PUT', 'repositories/team/app/', { body: JSON.stringify([{ id }]) })).status, 200)
  const json = JSON.stringify({ id, comment: 'd'.repeat(mebibyte) })
  assert.equal((await v1.ask('PUT', `images/${id}/json`, { body: json })).status, 507)
  assert.ok((await freeBytes(disk.path)) >= 16 * mebibyte)

  assert.equal((await anonymous.ask('GET', 'kept/manifests/1')).status, 200)
  assert.equal((await anonymous.ask('GET', `large/blobs/${digest}`)).body.length, 8 * mebibyte)
  assert.equal((await admin.ask('DELETE', upload)).status, 204)
  assert.equal((await admin.ask('DELETE', `large/blobs/${digest}`)).status, 202)
  assert.equal((await admin.ask('POST', '/artifactory/api/system/storage/gc')).status, 200)
  assert.ok((await freeBytes(disk.path)) > 20 * mebibyte)
  assert.equal((await begin(admin)).status, 202)
})

for (const lines of [[], [`Content-Range: 0-${64 * mebibyte - 1}`]])
  test(
    `a chunk ${lines.join()} that finds no room is read out after the refusal`,
    { skip: noTinyFilesystem },
    async () => {
      await using disk = await tinyFilesystem(32)
      await using registry = await startTestRegistry({
        storage: { filesystem: `${disk.path}/blobs` },
        limits: { freeSpace: '16MiB' },
      })
      const upload = await registry.admin.beginUpload('large')
      await using connection = await RawConnection.open(registry.port, 'plain')
      connection.send(headOfPatch(upload, ['Transfer-Encoding: chunked', ...lines]))
      const piece = ['100000\r\n', Buffer.alloc(mebibyte), '\r\n'] as const
      for (let pieces = 0; pieces < 24; pieces++) connection.send(...piece)
      assert.equal((await connection.answer()).status, 507)
      for (let pieces = 24; pieces < 64; pieces++) connection.send(...piece)
      connection.send('0\r\n\r\n', 'GET /artifactory/api/system/ping HTTP/1.1\r\nHost: registry.test\r\n\r\n')
      assert.equal((await connection.answer()).body.toString(), 'OK')
    },
  )

/** How a client is answered that sends `chunks` and would send more. */
async function startPatch(
  { port }: TestRegistry,
  upload: string,
  lines: readonly string[],
  chunks: readonly Buffer[],
): Promise<RawAnswer> {
  await using connection = await RawConnection.open(port, 'plain')
  connection.send(headOfPatch(upload, lines))
  for (const chunk of chunks) connection.send(`${chunk.length.toString(16)}\r\n`, chunk, '\r\n')
  return await connection.answer()
}

function headOfPatch(upload: string, lines: readonly string[]): string {
  const login = `Authorization: Basic ${Buffer.from(`${adminLogin.name}:${adminLogin.password}`).toString('base64')}`
  return [`PATCH ${new URL(upload).pathname} HTTP/1.1`, 'Host: registry.test', login, ...lines, '\r\n'].join('\r\n')
}

async function freeBytes(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory)
  return bavail * bsize
}
