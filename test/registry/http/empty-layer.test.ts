import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startTestRegistry, type TestRegistry } from '../../helpers/registry.ts'
import { descriptor, digestOfBytes, tinyImage } from '../../helpers/tiny-image.ts'

/** What docker 1.x has for a layer without files. */
const empty = Buffer.from('1f8b080000096e8800ff621805a360148c5800080000ffff2eafb5ef00040000', 'hex')
const digest = digestOfBytes(empty)

let registry: TestRegistry

before(async () => {
  registry = await startTestRegistry()
})
after(async () => registry[Symbol.asyncDispose]())

test('the empty layer is said to be there and is given out, which docker 1.8 and 1.9 ask for in this order', async () => {
  await registry.admin.push('any', '1', tinyImage('any'))
  for (const [method, length] of [
    ['HEAD', 0],
    ['GET', empty.length],
  ] as const) {
    const answer = await registry.admin.ask(method, `any/blobs/${digest}`)
    assert.equal(answer.status, 200)
    assert.equal(answer.headers['content-length'], String(empty.length))
    assert.equal(answer.headers['docker-content-digest'], digest)
    assert.equal(answer.body.length, length)
  }
})

test('who was told that the empty layer is there need not push it', async () => {
  const layers = [descriptor('application/vnd.oci.image.layer.v1.tar+gzip', empty)]
  const image = tinyImage('built of it', { layers })
  const [config] = image.blobs
  assert.ok(config)
  for (const name of ['one', 'other']) {
    await registry.admin.pushBlob(name, config)
    const pushed = await registry.admin.putManifest(name, '1', image)
    assert.equal(pushed.status, 201, pushed.body.toString())
    const kept = await registry.admin.ask('GET', `${name}/blobs/${digest}`)
    assert.deepEqual(kept.body, empty)
  }
  assert.ok((await registry.blobs()).includes(digest.slice('sha256:'.length)))
  assert.deepEqual(await registry.uploads(), [])
})
