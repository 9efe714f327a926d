import assert from 'node:assert/strict'
import { test } from 'node:test'
import { locateApi } from '../../../registry/http/api-address.ts'
import { resolveName } from '../../../registry/http/v2/address.ts'
import { parseResource } from '../../../registry/http/v2/resource.ts'

const digest = `sha256:${'0'.repeat(64)}`

for (const [rest, kind, name] of [
  ['', 'version', undefined],
  ['token', 'token', undefined],
  ['_catalog', 'catalog', undefined],
  ['hello/manifests/1', 'manifest', 'hello'],
  [`team/app/manifests/${digest}`, 'manifest', 'team/app'],
  [`hello/blobs/${digest}`, 'blob', 'hello'],
  ['hello/blobs/uploads/', 'uploads', 'hello'],
  ['hello/blobs/uploads', 'uploads', 'hello'],
  ['hello/blobs/uploads/some-id', 'upload', 'hello'],
  ['hello/tags/list', 'tags', 'hello'],
  // Names that contain the words of the API.
  ['token/manifests/1', 'manifest', 'token'],
  ['manifests/manifests/1', 'manifest', 'manifests'],
  ['tags/list/tags/list', 'tags', 'tags/list'],
  ['a/blobs/uploads/manifests/1', 'manifest', 'a/blobs/uploads'],
  ['a/manifests/b/blobs/uploads/some-id', 'upload', 'a/manifests/b'],
  [`a/blobs/uploads/blobs/${digest}`, 'blob', 'a/blobs/uploads'],
  ['v2/hello/tags/list', 'tags', 'v2/hello'],
] as const)
  test(`"${rest}" is read from the right: ${kind}${name === undefined ? '' : ` of ${name}`}`, () => {
    const resource = parseResource(rest)
    assert.equal(resource?.kind, kind)
    assert.equal(resource && 'name' in resource ? resource.name : undefined, name)
  })

for (const rest of [
  'hello',
  'hello/tags',
  'hello/tags/list/',
  'hello/manifests',
  'hello/referrers',
  'hello/blobs/uploads/a/b',
])
  test(`"${rest}" is nothing`, () => {
    assert.equal(parseResource(rest), undefined)
  })

test('the API is found below the context, by key and without, and at the root', () => {
  assert.deepEqual(locateApi('v2', '/artifactory/api/docker/docker-local/v2/hello/tags/list', '/artifactory'), {
    base: '/artifactory/api/docker/docker-local/v2',
    key: 'docker-local',
    rest: 'hello/tags/list',
  })
  assert.deepEqual(locateApi('v2', '/artifactory/api/docker/v2/', '/artifactory'), {
    base: '/artifactory/api/docker/v2',
    key: undefined,
    rest: '',
  })
  assert.deepEqual(locateApi('v2', '/v2', ''), { base: '/v2', key: undefined, rest: '' })
  assert.deepEqual(locateApi('v2', '/api/docker/a/v2/x', ''), { base: '/api/docker/a/v2', key: 'a', rest: 'x' })
  for (const path of ['/v2x/', '/other/api/docker/a/v2/', '/artifactory/api/docker/a/b/v2/', '/artifactory/v2/', '/'])
    assert.equal(locateApi('v2', path, '/artifactory'), undefined, path)
})

test('a name without a key names no repository', () => {
  const pathMode = { base: '/v2', key: undefined, rest: '' }
  assert.deepEqual(resolveName(pathMode, 'docker-local/team/app'), { repository: 'docker-local', image: 'team/app' })
  assert.throws(() => resolveName(pathMode, 'hello'), { code: 'NAME_UNKNOWN' })
  assert.throws(() => resolveName(pathMode, ''), { code: 'NAME_INVALID' })
  assert.throws(() => resolveName({ ...pathMode, key: 'docker-local' }, 'UPPER'), { code: 'NAME_INVALID' })
})
