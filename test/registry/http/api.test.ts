import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { startTestRegistry } from '../../helpers/registry.ts'

const registry = await startTestRegistry({
  context: '/registry',
  repositories: {
    'docker-local': { type: 'local', description: 'What we build.' },
    hub: { type: 'remote', url: 'https://registry-1.docker.io' },
    docker: { type: 'virtual', members: ['docker-local', 'hub'] },
    secret: { type: 'local' },
  },
  forceAuthentication: ['secret'],
})
after(() => registry[Symbol.asyncDispose]())
const [admin, anonymous] = [registry.admin.at('/registry/api'), registry.anonymous.at('/registry/api')]

test('the ping answers OK to anyone, by HEAD too', async () => {
  const answer = await anonymous.ask('GET', 'system/ping')
  assert.equal(answer.status, 200)
  assert.equal(answer.body.toString(), 'OK')
  assert.equal((await anonymous.ask('HEAD', 'system/ping')).status, 200)
})

test('the version of the product is told', async () => {
  const answer = await anonymous.ask('GET', 'system/version')
  assert.deepEqual(answer.json(), { product: 'Caisson', version: '1.2.3' })
})

test('repositories are listed with the fields that Artifactory gives them', async () => {
  const here = 'http://registry.test/registry/api/docker'
  const open = [
    {
      key: 'docker-local',
      description: 'What we build.',
      type: 'LOCAL',
      url: `${here}/docker-local`,
      packageType: 'docker',
    },
    { key: 'hub', description: '', type: 'REMOTE', url: 'https://registry-1.docker.io', packageType: 'docker' },
    { key: 'docker', description: '', type: 'VIRTUAL', url: `${here}/docker`, packageType: 'docker' },
  ]
  assert.deepEqual((await anonymous.ask('GET', 'repositories')).json(), open)
  const secret = { key: 'secret', description: '', type: 'LOCAL', url: `${here}/secret`, packageType: 'docker' }
  assert.deepEqual((await admin.ask('GET', 'repositories')).json(), [...open, secret])
})

test('wrong credentials are refused there too', async () => {
  const answer = await anonymous.as({ name: 'admin', password: 'wrong' }).ask('GET', 'repositories')
  assert.equal(answer.status, 401)
})

test('a path is known in one spelling: an escaped one is the same, another case is not', async () => {
  assert.equal((await anonymous.ask('GET', 'system/%70ing')).body.toString(), 'OK')
  assert.equal((await anonymous.ask('GET', 'SYSTEM/PING')).status, 404)
})
