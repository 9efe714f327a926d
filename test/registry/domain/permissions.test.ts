import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isRepositoryKey, parseImageName, type RepositoryKey } from '../../../registry/domain/names.ts'
import {
  actions,
  anonymous,
  permits,
  type AccessSettings,
  type Principal,
} from '../../../registry/domain/permissions.ts'

const key = repositoryKey('docker-local')
const image = parseImageName('hello')
const open: AccessSettings = { anonymousAccess: true, forceAuthentication: false }
const admin: Principal = { kind: 'user', name: 'admin', admin: true }
const dev: Principal = { kind: 'user', name: 'dev', admin: false }

function repositoryKey(text: string): RepositoryKey {
  assert.ok(isRepositoryKey(text))
  return text
}

function allowed(principal: Principal, settings: AccessSettings = open): readonly string[] {
  return actions.filter((action) => permits(principal, action, key, image, settings))
}

test('admin may everything, other users read and deploy, anonymous reads', () => {
  assert.deepEqual(allowed(admin), ['read', 'deploy', 'delete'])
  assert.deepEqual(allowed(dev), ['read', 'deploy'])
  assert.deepEqual(allowed(anonymous), ['read'])
})

test('anonymous reads only where no login is asked for', () => {
  for (const [forceAuthentication, expected] of [
    [true, []],
    [['docker-local'], []],
    [['docker-prod'], ['read']],
    [[], ['read']],
  ] as const)
    assert.deepEqual(allowed(anonymous, { anonymousAccess: true, forceAuthentication }), expected)
  assert.deepEqual(allowed(anonymous, { anonymousAccess: false, forceAuthentication: false }), [])
  assert.deepEqual(allowed(dev, { anonymousAccess: false, forceAuthentication: true }), ['read', 'deploy'])
})
