import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { startTestRegistry } from '../../../helpers/registry.ts'
import { recorded, rest } from '../../../helpers/rest.ts'
import { tinyImage } from '../../../helpers/tiny-image.ts'
import { addUser, onAccess } from '../../../helpers/users.ts'

const registry = await startTestRegistry({
  repositories: { 'docker-local': { type: 'local' }, 'docker-prod': { type: 'local' } },
  permissions: { Declared: { repositories: ['ANY'], users: { dev: ['manage'] } } },
  anonymousAccess: false,
})
after(() => registry[Symbol.asyncDispose]())
const { admin, anonymous } = registry
const dev = anonymous.as(await addUser(registry, 'dev'))
const lead = anonymous.as(await addUser(registry, 'lead'))
await onAccess(registry, (store) =>
  store.putGroup({ name: 'leads', description: '', autoJoin: false, admins: false }, ['lead']),
)

const v1 = 'security/permissions'
const v2 = 'v2/security/permissions'
const asV1 = {
  name: 'Apps',
  includesPattern: 'app/**,team/*/release-*',
  excludesPattern: 'app/secret/**',
  repositories: ['docker-local', 'ANY REMOTE'],
  principals: { users: { dev: ['r', 'w'], anonymous: ['r'] }, groups: { leads: ['r', 'w', 'n', 'd', 'm'] } },
}
const asV2 = {
  name: 'Apps',
  repo: {
    'include-patterns': ['app/**', 'team/*/release-*'],
    'exclude-patterns': ['app/secret/**'],
    repositories: ['docker-local', 'ANY REMOTE'],
    actions: {
      users: { dev: ['read', 'write'], anonymous: ['read'] },
      groups: { leads: ['read', 'write', 'annotate', 'delete', 'manage'] },
    },
  },
}

test('a target that one version writes, the other reads', async () => {
  assert.equal((await rest(admin, 'PUT', `${v1}/Apps`, asV1)).status, 201)
  assert.deepEqual((await rest(admin, 'GET', `${v2}/Apps`)).body, asV2)
  assert.deepEqual((await rest(admin, 'GET', `${v1}/Apps`)).body, asV1)
  assert.equal((await rest(admin, 'DELETE', `${v2}/Apps`)).status, 200)
  assert.equal((await rest(admin, 'POST', `${v2}/Apps`, asV2)).status, 201)
  assert.deepEqual((await rest(admin, 'GET', `${v1}/Apps`)).body, asV1)
  assert.equal((await rest(admin, 'PUT', `${v2}/Apps`, asV2)).status, 200)
  assert.equal((await rest(admin, 'PUT', `${v1}/Apps`, asV1)).status, 200)
})

test('it counts at once: who was given something may do it, and no longer when it is taken away', async () => {
  const image = tinyImage('a')
  await admin.push('app/one', 'v1', image)
  assert.equal((await dev.ask('GET', 'app/one/manifests/v1')).status, 200)
  await dev.push('app/two', 'v1', image)
  assert.equal((await dev.ask('POST', 'app/secret/one/blobs/uploads/')).status, 403)
  await rest(admin, 'PUT', `${v1}/Apps`, { ...asV1, principals: {} })
  assert.notEqual((await dev.ask('GET', 'app/one/manifests/v1')).status, 200)
  await rest(admin, 'PUT', `${v1}/Apps`, asV1)
})

test('a target that is there is not made again by the second version; one that is not is, by both', async () => {
  const again = await rest(admin, 'POST', `${v2}/Apps`, asV2)
  assert.deepEqual([again.status, again.message], [409, 'there is a permission target Apps already'])
  assert.equal((await rest(admin, 'PUT', `${v2}/New`, { ...asV2, name: 'New' })).status, 201)
  assert.equal((await rest(admin, 'DELETE', `${v1}/New`)).status, 200)
})

test('what is left out is everything for patterns, and nobody for principals', async () => {
  await rest(admin, 'PUT', `${v1}/Any`, { repositories: ['ANY'] })
  assert.deepEqual((await rest(admin, 'GET', `${v1}/Any`)).body, {
    name: 'Any',
    includesPattern: '**',
    excludesPattern: '',
    repositories: ['ANY'],
    principals: { users: {}, groups: {} },
  })
  await rest(admin, 'PUT', `${v2}/Any`, { repo: { repositories: ['ANY LOCAL'], actions: { users: { dev: [] } } } })
  assert.deepEqual((await rest(admin, 'GET', `${v2}/Any`)).body, {
    name: 'Any',
    repo: {
      'include-patterns': ['**'],
      'exclude-patterns': [],
      repositories: ['ANY LOCAL'],
      actions: { users: {}, groups: {} },
    },
  })
})

test('builds and release bundles may be said to be none, however that is written', async () => {
  for (const nothing of [null, {}, { repositories: [], actions: { users: {}, groups: null } }]) {
    const fields = { ...asV2, build: nothing, releaseBundle: nothing }
    assert.equal((await rest(admin, 'PUT', `${v2}/Apps`, fields)).status, 200, JSON.stringify(nothing))
  }
  for (const field of ['build', 'releaseBundle']) {
    const answer = await rest(admin, 'PUT', `${v2}/Apps`, { ...asV2, [field]: { repositories: ['builds'] } })
    assert.equal(answer.status, 400)
    assert.match(answer.message, new RegExp(`^${field}: expected nothing: .* not supported here$`))
  }
})

test('targets are listed, and removed', async () => {
  const uri = (path: string) => `http://registry.test/artifactory/api/${path}/Any`
  for (const path of [v1, v2]) {
    const { body } = await rest(admin, 'GET', path)
    const found = (body as { readonly name: string }[]).find(({ name }) => name === 'Any')
    assert.deepEqual(found, { name: 'Any', uri: uri(path) })
  }
  const removed = await rest(admin, 'DELETE', `${v1}/Any`)
  assert.deepEqual([removed.status, removed.body], [200, "Permission Target 'Any' has been removed successfully."])
  for (const path of [v1, v2]) {
    assert.equal((await rest(admin, 'DELETE', `${path}/Any`)).status, 404)
    assert.equal((await rest(admin, 'GET', `${path}/Any`)).status, 404)
  }
})

for (const [path, fields, message] of [
  [v1, { repositories: ['docker-locl'] }, /^there is no repository "docker-locl"; did you mean "docker-local"\?$/],
  [v1, { repositories: ['ANY', 'ANY VIRTUAL'] }, /^there is no repository "ANY VIRTUAL"/],
  [v1, { repositories: [] }, /^repositories: expected at least one/],
  [v1, {}, /^repositories: /],
  [v1, { repositories: ['ANY'], includesPattern: '' }, /^includesPattern: expected patterns/],
  [v1, { repositories: ['ANY'], includesPattern: 'a/**b' }, /^"a\/\*\*b" is not a pattern/],
  [v1, { repositories: ['ANY'], excludesPattern: 'a/*,,b/*' }, /^"" is not a pattern/],
  [
    v1,
    { repositories: ['ANY'], principals: { users: { dev: ['r', 'x'] } } },
    /^"x" for dev: expected some of r, w, n, d, m$/,
  ],
  [v1, { repositories: ['ANY'], principals: { users: { dev: ['read'] } } }, /^"read" for dev: expected some of r, w/],
  [
    v1,
    { repositories: ['ANY'], principals: { user: {} } },
    /^unknown field "principals.user"; did you mean "users"\?$/,
  ],
  [v1, { repositories: ['ANY'], principals: { users: { '-x': ['r'] } } }, /^"-x" is the name of nobody/],
  [v1, { repositories: ['ANY'], principals: { groups: { anonymous: ['r'] } } }, /^"anonymous" is the name of nobody/],
  [
    v1,
    { repositories: ['ANY'], includePattern: 'a' },
    /^unknown field "includePattern"; did you mean "includesPattern"\?$/,
  ],
  [v1, { repositories: ['ANY'], name: 'Other' }, /^name: the path says Wrong/],
  [v2, {}, /^repo: /],
  [v2, { repo: { repositories: ['docker'] } }, /^there is no repository "docker"/],
  [v2, { repo: { repositories: ['ANY'], 'include-patterns': [] } }, /^repo.include-patterns: expected at least one/],
  [v2, { repo: { repositories: ['ANY'], includes: [] } }, /^unknown field "repo.includes"/],
  [
    v2,
    { repo: { repositories: ['ANY'], actions: { users: { dev: ['deploy'] } } } },
    /^"deploy" for dev: expected some of read, write,/,
  ],
  [v2, { repo: { repositories: ['ANY'], actions: { groups: { x: ['distribute'] } } } }, /^"distribute" for x/],
] as const)
  test(`${path}: ${JSON.stringify(fields)} is refused with what is expected`, async () => {
    const answer = await rest(admin, 'PUT', `${path}/Wrong`, fields)
    assert.equal(answer.status, 400)
    assert.match(answer.message, message)
    assert.equal((await rest(admin, 'GET', `${path}/Wrong`)).status, 404)
  })

test('whoever manages a target sees it and says who may do what there', async () => {
  assert.deepEqual((await rest(lead, 'GET', `${v1}/Apps`)).body, asV1)
  assert.deepEqual((await rest(lead, 'GET', `${v2}/Apps`)).body, asV2)
  const principals = { users: { dev: ['r'] }, groups: { leads: ['m'] } }
  assert.equal((await rest(lead, 'PUT', `${v1}/Apps`, { ...asV1, principals })).status, 200)
  assert.deepEqual((await rest(admin, 'GET', `${v1}/Apps`)).body, { ...asV1, principals })
  assert.equal((await rest(lead, 'PUT', `${v2}/Apps`, asV2)).status, 200)
  assert.deepEqual((await rest(admin, 'GET', `${v2}/Apps`)).body, asV2)
})

test('whoever manages a target does not change what it is about, nor make, remove or list targets', async () => {
  for (const change of [
    { repositories: ['ANY'] },
    { repositories: ['docker-local'] },
    { includesPattern: '**' },
    { excludesPattern: '' },
  ]) {
    const refused = await rest(lead, 'PUT', `${v1}/Apps`, { ...asV1, ...change })
    assert.equal(refused.status, 403)
    assert.match(refused.message, /^only an admin may change the repositories and patterns/)
  }
  for (const [method, path, fields] of [
    ['GET', v1],
    ['GET', v2],
    ['POST', `${v2}/Other`, { ...asV2, name: 'Other' }],
    ['PUT', `${v2}/Other`, { ...asV2, name: 'Other' }],
    ['PUT', `${v1}/Declared`, { repositories: ['ANY'] }],
    ['DELETE', `${v1}/Apps`],
    ['DELETE', `${v2}/Apps`],
  ] as const)
    assert.equal((await rest(lead, method, path, fields)).status, 403, `${method} ${path}`)
  assert.deepEqual((await rest(admin, 'GET', `${v1}/Apps`)).body, asV1)
})

test('others are refused alike, whether there is such a target or not', async () => {
  for (const path of [`${v1}/Apps`, `${v1}/Nothing`, `${v2}/Apps`, `${v2}/Nothing`]) {
    assert.equal((await rest(anonymous, 'GET', path)).status, 401)
    for (const method of ['GET', 'PUT', 'DELETE']) assert.equal((await rest(dev, method, path, {})).status, 403)
  }
})

test('a manager is there in person: what it grants would outlive its tokens', async () => {
  const { access_token } = (await rest(lead, 'POST', 'access/api/v1/tokens', {})).body as { access_token: string }
  const refused = await rest(anonymous.withToken(access_token), 'PUT', `${v1}/Apps`, asV1)
  assert.equal(refused.status, 403)
})

test('targets of the configuration file are told, to those who manage them too, and changed there alone', async () => {
  assert.equal((await rest(dev, 'GET', `${v1}/Declared`)).status, 200)
  const fields = { repositories: ['ANY'], principals: { users: { dev: ['r', 'w', 'm'] } } }
  for (const client of [admin, dev]) {
    const answer = await rest(client, 'PUT', `${v1}/Declared`, fields)
    assert.equal(answer.status, 403)
    assert.match(answer.message, /^the permission target Declared is named in the configuration file/)
  }
  assert.equal((await rest(admin, 'DELETE', `${v2}/Declared`)).status, 403)
})

test('every change is recorded, a manager’s too', async () => {
  const before = (await recorded(admin, 'access.changed')).length
  await rest(admin, 'PUT', `${v1}/Recorded`, { repositories: ['ANY'], principals: { users: { dev: ['m'] } } })
  await rest(dev, 'PUT', `${v1}/Recorded`, { repositories: ['ANY'], principals: {} })
  await rest(dev, 'PUT', `${v1}/Recorded`, { repositories: ['ANY'], principals: {} })
  await rest(admin, 'DELETE', `${v2}/Recorded`)
  assert.deepEqual((await recorded(admin, 'access.changed')).slice(before), [
    'admin created permission Recorded',
    'dev changed permission Recorded',
    'admin deleted permission Recorded',
  ])
})
