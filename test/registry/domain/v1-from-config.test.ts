import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { test } from 'node:test'
import { v1FromConfig } from '../../../registry/domain/v1-from-config.ts'

const diffIds = ['a', 'b', 'c'].map((digit) => `sha256:${digit.repeat(64)}`)

function textsOf(config: string): readonly string[] {
  return v1FromConfig(Buffer.from(config)).map(({ json }) => Buffer.from(json).toString())
}

test('each layer but the top one is an image known by the chain of layers, the top one by the configuration', () => {
  const config = JSON.stringify({ rootfs: { type: 'layers', diff_ids: diffIds }, history: [{ created: '2020' }] })
  const base = 'a'.repeat(64)
  const second = hash('sha256', `${diffIds[0]} ${diffIds[1]}`)
  assert.deepEqual(textsOf(config), [
    `{"id":"${base}"}`,
    `{"id":"${second}","parent":"${base}"}`,
    `{"id":"${hash('sha256', config)}","parent":"${second}"}`,
  ])
})

test('the configuration keeps its values as they are spelled, sorted by name and escaped as docker does, without what V1 has no place for', () => {
  const rootfs = JSON.stringify({ type: 'layers', diff_ids: diffIds.slice(0, 1) })
  const config = `{"os": "linux", "os.version": "10", "os.features": [], "rootfs": ${rootfs}, "parent": "gone",
    "config": {"Cmd": ["a && b"], "Env": null}, "Size": 1.50, "architecture": "amd64", "history": []}`
  const id = hash('sha256', config)
  assert.deepEqual(textsOf(config), [
    `{"Size":1.50,"architecture":"amd64","config":{"Cmd":["a \\u0026\\u0026 b"],"Env":null},"id":"${id}","os":"linux"}`,
  ])
})

test('an image without layers is one image', () => {
  const config = '{"rootfs":{"type":"layers","diff_ids":null}}'
  assert.deepEqual(textsOf(config), [`{"id":"${hash('sha256', config)}"}`])
})

test('what is no configuration of an image is refused', () => {
  for (const config of ['{}', '[]', 'no JSON', '{"rootfs":{"type":"layers","diff_ids":["sha512:00"]}}'])
    assert.throws(() => v1FromConfig(Buffer.from(config)), { code: 'MANIFEST_INVALID' })
})
