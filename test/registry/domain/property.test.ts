import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parsePropertyName, parsePropertyValue } from '../../../registry/domain/property.ts'

test('a property has a name of letters, digits and separators', () => {
  for (const name of [
    'a',
    '_',
    'docker.description',
    'build.name',
    'com.company.Team-1',
    'docker.manifestation',
    'x'.repeat(255),
  ])
    assert.equal(parsePropertyName(name), name)
  for (const name of ['', '1', '.a', '-a', 'a b', 'a=b', 'a;b', 'a,b', 'a/b', 'ä', 'a\n', 'x'.repeat(256)])
    assert.throws(() => parsePropertyName(name), { code: 'BAD_REQUEST' }, name)
})

test('what the registry knows by itself is not set by hand', () => {
  const given = [
    'sha256',
    'docker.repoName',
    'docker.imageId',
    'docker.size',
    'docker.manifest',
    'docker.manifest.type',
  ]
  for (const name of [...given, 'docker.tag.name', 'docker.tag.content', 'docker.label.maintainer'])
    assert.throws(() => parsePropertyName(name), /says what the registry knows by itself/, name)
})

test('a value has 2400 bytes at most', () => {
  for (const value of ['', 'any text, even; with = signs', 'ä'.repeat(1200)])
    assert.equal(parsePropertyValue(value), value)
  assert.throws(() => parsePropertyValue(`${'ä'.repeat(1200)}x`), { code: 'BAD_REQUEST' })
})
