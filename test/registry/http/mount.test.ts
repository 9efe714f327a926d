import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { locationOf } from '../../helpers/registry-client.ts'
import { startTestRegistry } from '../../helpers/registry.ts'
import { addUser, onAccess } from '../../helpers/users.ts'
import { digestOfBytes } from '../../helpers/tiny-image.ts'

const registry = await startTestRegistry({
  anonymousAccess: false,
  repositories: { 'docker-local': { type: 'local' }, 'docker-dev': { type: 'local' } },
})
after(() => registry[Symbol.asyncDispose]())
const local = registry.admin
const dev = local.at('/artifactory/api/docker/docker-dev/v2')
const pathMode = local.at('/v2')
const inLocal = await local.pushBlob('source', Buffer.from('in docker-local'))
const inDev = await dev.pushBlob('team/source', Buffer.from('in docker-dev'))

test('a blob of another image of the repository is mounted: no bytes are sent', async () => {
  const mounted = await local.ask('POST', `target/blobs/uploads/?mount=${inLocal}&from=source`)
  assert.equal(mounted.status, 201)
  assert.equal(mounted.headers['docker-content-digest'], inLocal)
  assert.equal((await local.ask('GET', locationOf(mounted))).body.toString(), 'in docker-local')
  assert.deepEqual(await registry.uploads(), [])
})

test('in path mode the source begins with its repository key', async () => {
  const target = 'docker-local/by-path/blobs/uploads/'
  const mounted = await pathMode.ask('POST', `${target}?mount=${inDev}&from=docker-dev/team/source`)
  assert.equal(mounted.status, 201)
  assert.equal((await pathMode.ask('GET', locationOf(mounted))).body.toString(), 'in docker-dev')
  const unnamed = await pathMode.ask('POST', `${target}?mount=${inDev}&from=source`)
  assert.equal(unnamed.status, 202)
})

test('on a host of one repository a source may still name another repository', async () => {
  const mounted = await local.ask('POST', `by-key/blobs/uploads/?mount=${inDev}&from=docker-dev/team/source`)
  assert.equal(mounted.status, 201)
})

for (const [why, query] of [
  ['the source does not have the blob', `mount=${digestOfBytes('nobody has this')}&from=source`],
  ['another image has it', `mount=${inDev}&from=source`],
  ['the source does not exist', `mount=${inLocal}&from=nowhere`],
  ['the source is no image name', `mount=${inLocal}&from=UPPER//case`],
  ['no source is named and nobody has the blob', `mount=${digestOfBytes('nobody has this')}`],
  ['the source names a repository that does not exist', `mount=${inLocal}&from=nowhere/source`],
] as const)
  test(`a mount is answered with an upload when ${why}`, async () => {
    const answer = await local.ask('POST', `target-202/blobs/uploads/?${query}`)
    assert.equal(answer.status, 202)
    assert.match(locationOf(answer), /\/target-202\/blobs\/uploads\/[0-9a-f-]{36}$/)
    assert.equal((await local.ask('DELETE', locationOf(answer))).status, 204)
  })

test('a blob is mounted without a source when the caller may read some image that has it', async () => {
  const token = local.withToken(await local.token('repository:sourceless:pull,push'))
  for (const [index, client] of [local, token].entries()) {
    const mounted = await client.ask('POST', `sourceless/blobs/uploads/?mount=${[inLocal, inDev][index]}`)
    assert.equal(mounted.status, 201)
    assert.equal((await local.ask('HEAD', locationOf(mounted))).status, 200)
  }
})

test('a token for the target alone mounts what the user behind it may read', async () => {
  const token = local.withToken(await local.token('repository:by-token:pull,push'))
  const mounted = await token.ask('POST', `by-token/blobs/uploads/?mount=${inLocal}&from=source`)
  assert.equal(mounted.status, 201)
})

test('a token whose user is gone is worth nothing', async () => {
  const leaver = local.as(await addUser(registry, 'leaver'))
  const token = local.withToken(await leaver.token('repository:left:pull,push'))
  await onAccess(registry, (users) => users.removeUser('leaver'))
  for (const query of [`mount=${inLocal}`, `mount=${inLocal}&from=source`])
    assert.equal((await token.ask('POST', `left/blobs/uploads/?${query}`)).status, 401)
})

test('a mount of what is no digest is 400', async () => {
  const refused = await local.ask('POST', 'target/blobs/uploads/?mount=sha256:abc&from=source')
  assert.equal(refused.status, 400)
  assert.equal(refused.error(), 'DIGEST_INVALID')
})
