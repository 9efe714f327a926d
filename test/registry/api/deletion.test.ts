import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import { startTestRegistry } from '../../helpers/registry.ts'
import { addUser, onAccess, target } from '../../helpers/users.ts'
import { digestOfBytes, tinyImage } from '../../helpers/tiny-image.ts'

const registry = await startTestRegistry({
  repositories: {
    'docker-local': { type: 'local' },
    'docker-prod': { type: 'local' },
    hub: { type: 'remote', url: 'https://registry-1.docker.io' },
    all: { type: 'virtual', members: ['docker-local', 'hub'] },
  },
  garbageCollection: { grace: '0s', every: '1h' },
})
after(() => registry[Symbol.asyncDispose]())

const { admin, anonymous } = registry
const [prod, anonymousProd] = [admin, anonymous].map((client) => client.at('/artifactory/api/docker/docker-prod/v2'))
const [rest, strangers] = [admin, anonymous].map((client) => client.at('/artifactory'))
assert.ok(prod && anonymousProd && rest && strangers)
const developers = strangers.as(await addUser(registry, 'dev'))
const [one, two] = [tinyImage('one'), tinyImage('two')]

await onAccess(registry, (access) =>
  access.putTarget(target('Anything', { users: { anonymous: ['read'] }, groups: { users: ['read', 'deploy'] } })),
)

beforeEach(async () => {
  for (const key of ['docker-local', 'docker-prod']) assert.equal((await rest.ask('DELETE', key)).status, 204)
  await admin.push('team/app', '1', one)
  await admin.push('team/app', '2', two)
})

async function tagsOf(image: string, client = anonymous): Promise<unknown> {
  const answer = await client.ask('GET', `${image}/tags/list`)
  return answer.status === 200 ? (answer.json() as { readonly tags: unknown }).tags : answer.status
}

test('a tag is deleted, and the other tags of the image stay', async () => {
  const deleted = await rest.ask('DELETE', 'docker-local/team/app/1')
  assert.equal(deleted.status, 204)
  assert.equal(deleted.body.length, 0)
  assert.deepEqual(await tagsOf('team/app'), ['2'])
  assert.equal((await rest.ask('DELETE', 'docker-local/team/app/1')).status, 404)
})

test('what a deleted tag was on is kept by its digest until the rule of the repository takes it', async () => {
  await rest.ask('DELETE', 'docker-local/team/app/1')
  assert.equal((await anonymous.ask('GET', `team/app/manifests/${one.digest}`)).status, 200)
  assert.equal((await rest.ask('DELETE', `docker-local/team/app/${one.digest}`)).status, 204)
  assert.equal((await anonymous.ask('GET', `team/app/manifests/${one.digest}`)).status, 404)
})

test('an image is deleted with all its tags, and those that share its name in part or its bytes are not', async () => {
  await admin.push('team/app/debug', '1', one)
  await admin.push('team/application', '1', one)
  await prod.push('team/app', '1', one)
  assert.equal((await rest.ask('DELETE', 'docker-local/team/app')).status, 204)
  assert.equal(await tagsOf('team/app'), 404)
  for (const image of ['team/app/debug', 'team/application']) assert.deepEqual(await tagsOf(image), ['1'])
  assert.deepEqual(await tagsOf('team/app', anonymousProd), ['1'])
  assert.equal((await rest.ask('DELETE', 'docker-local/team/app')).status, 404)
})

test('the space of a deleted image comes back, but for what others share with it', async () => {
  await prod.push('copy', '1', one)
  await rest.ask('DELETE', 'docker-local/team/app')
  // The first round takes the blobs from the image, the second one those that no image has any more.
  for (const _round of [1, 2]) assert.equal((await rest.ask('POST', 'api/system/storage/gc')).status, 200)
  const kept = one.blobs.map((blob) => digestOfBytes(blob).slice('sha256:'.length)).sort()
  assert.deepEqual([...(await registry.blobs())].sort(), kept)
  assert.equal((await anonymousProd.ask('GET', 'copy/manifests/1')).status, 200)
})

test('a repository is emptied, and can be pushed to again at once', async () => {
  await prod.push('kept', '1', one)
  assert.equal((await rest.ask('DELETE', 'docker-local')).status, 204)
  assert.deepEqual((await anonymous.ask('GET', '_catalog')).json(), { repositories: [] })
  assert.deepEqual(await tagsOf('kept', anonymousProd), ['1'])
  await admin.push('team/app', '3', one)
  assert.deepEqual(await tagsOf('team/app'), ['3'])
})

test('a slash at the end, as an empty variable of a script leaves it, deletes nothing', async () => {
  for (const path of ['docker-local/', 'docker-local/team/app/']) {
    const refused = await rest.ask('DELETE', path)
    assert.equal(refused.status, 400)
    assert.match(refused.body.toString(), /the path ends with a slash: expected /)
  }
  assert.deepEqual(await tagsOf('team/app'), ['1', '2'])
})

test('what is a tag and an image as well is left alone, and the answer says what to do', async () => {
  await admin.push('team/app/1', 'latest', two)
  const refused = await rest.ask('DELETE', 'docker-local/team/app/1')
  assert.equal(refused.status, 403)
  assert.equal(refused.error(), 'DENIED')
  assert.match(refused.body.toString(), /is an image, and a tag of the image around it: delete the tag by the V2 API/)
  assert.deepEqual(await tagsOf('team/app'), ['1', '2'])

  assert.equal((await admin.ask('DELETE', 'team/app/manifests/1')).status, 202)
  assert.equal((await rest.ask('DELETE', 'docker-local/team/app/1')).status, 204)
  assert.equal(await tagsOf('team/app/1'), 404)
  assert.deepEqual(await tagsOf('team/app'), ['2'])
})

test('an image that has blobs alone, as a push that broke off leaves it, is deleted too', async () => {
  const digest = await admin.pushBlob('team/broken', Buffer.from('layer'))
  assert.equal((await rest.ask('DELETE', 'docker-local/team/broken')).status, 204)
  assert.equal((await admin.ask('HEAD', `team/broken/blobs/${digest}`)).status, 404)
  assert.equal((await rest.ask('DELETE', 'docker-local/team/broken')).status, 404)
})

for (const [what, path] of [
  ['an unknown tag', 'docker-local/team/app/3'],
  ['an unknown image', 'docker-local/team/other'],
  ['an unknown repository', 'docker-other/team/app/1'],
  ['what is no key', 'Docker/team/app/1'],
  ['what is no image', 'docker-local/Team/app/1'],
  ['the API', 'api/repositories'],
] as const)
  test(`${what} is answered 404`, async () => {
    const answer = await rest.ask('DELETE', path)
    assert.equal(answer.status, 404)
    assert.equal(answer.error(), 'NAME_UNKNOWN')
  })

test('what a cache does not have is not there, and its upstream is not asked for it', async () => {
  const absent = await rest.ask('DELETE', 'hub/library/alpine')
  assert.deepEqual([absent.status, absent.error()], [404, 'NAME_UNKNOWN'])
})

test('a repository that holds no images of its own refuses', async () => {
  const refused = await rest.ask('DELETE', 'all/library/alpine')
  assert.deepEqual([refused.status, refused.error()], [405, 'UNSUPPORTED'])
})

for (const path of ['docker-local', 'docker-local/team/app', 'docker-local/team/app/1', 'docker-local/team/nothing'])
  test(`only who may delete by the V2 API may do so at ${path}`, async () => {
    const stranger = await strangers.ask('DELETE', path)
    assert.equal(stranger.status, 401)
    assert.equal(stranger.headers['www-authenticate'], 'Basic realm="Caisson"')
    const liar = await strangers.as({ name: 'admin', password: 'wrong' }).ask('DELETE', path)
    assert.equal(liar.status, 401)
    assert.equal(liar.headers['www-authenticate'], 'Basic realm="Caisson"')
    const developer = await developers.ask('DELETE', path)
    assert.equal(developer.status, 403)
    assert.match(developer.body.toString(), new RegExp(`dev may not delete /artifactory/${path}"`))
    assert.deepEqual(await tagsOf('team/app'), ['1', '2'])
  })

test('a token deletes in the images that it is for, and empties no repository', async () => {
  const bearer = rest.withToken(await admin.token('repository:team/app:delete'))
  assert.equal((await bearer.ask('DELETE', 'docker-local')).status, 401)
  await admin.push('team/other', '1', one)
  assert.equal((await bearer.ask('DELETE', 'docker-local/team/other')).status, 401)
  assert.equal((await bearer.ask('DELETE', 'docker-local/team/app/1')).status, 204)
  assert.equal((await bearer.ask('DELETE', 'docker-local/team/app')).status, 204)
})

test('who deleted what is logged', async () => {
  await rest.ask('DELETE', 'docker-local/team/app/1')
  await rest.ask('DELETE', 'docker-local/team/app')
  await rest.ask('DELETE', 'docker-local')
  const told = registry.log.slice(-3).map(({ msg, by, repository, image, tag, images }) => {
    return { msg, by, repository, image, tag, images }
  })
  const nothing = { image: undefined, tag: undefined, images: undefined }
  const where = { ...nothing, by: 'admin', repository: 'docker-local' }
  assert.deepEqual(told, [
    { ...where, msg: 'manifest deleted', image: 'team/app', tag: '1' },
    { ...where, msg: 'image deleted', image: 'team/app' },
    { ...where, msg: 'repository emptied', images: 0 },
  ])
})

test('with no context the paths begin with the key', async () => {
  await using bare = await startTestRegistry({ context: '' })
  const v2 = bare.admin.at('/api/docker/docker-local/v2')
  await v2.push('hello', '1', one)
  assert.equal((await bare.admin.at('').ask('DELETE', 'docker-local/hello/1')).status, 204)
  assert.equal((await v2.ask('GET', 'hello/manifests/1')).status, 404)
})
