import assert from 'node:assert/strict'
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { answers } from '../../../registry/http/errors.ts'
import { startTestRegistry } from '../../helpers/registry.ts'

/** OCI distribution 1.1, "Error Codes", and those that distribution has besides. */
const wireCodes = [
  'BLOB_UNKNOWN',
  'BLOB_UPLOAD_INVALID',
  'BLOB_UPLOAD_UNKNOWN',
  'DIGEST_INVALID',
  'MANIFEST_BLOB_UNKNOWN',
  'MANIFEST_INVALID',
  'MANIFEST_UNKNOWN',
  'MANIFEST_UNVERIFIED',
  'NAME_INVALID',
  'NAME_UNKNOWN',
  'SIZE_INVALID',
  'UNAUTHORIZED',
  'DENIED',
  'UNSUPPORTED',
  'TOOMANYREQUESTS',
  'TAG_INVALID',
  'RANGE_INVALID',
  'PAGINATION_NUMBER_INVALID',
  'UNAVAILABLE',
]

test('every code of ours has an error status and a code that clients know', () => {
  for (const [code, { status, as = code, retryAfterSeconds }] of Object.entries(answers)) {
    assert.ok(status >= 400 && status < 600, code)
    assert.ok(wireCodes.includes(as), `${as} is on the wire`)
    assert.equal(retryAfterSeconds !== undefined, status === 429 || status === 503, code)
  }
})

test('a failure of ours is an opaque 500, and a full line in the log with the same request id', async () => {
  await using registry = await startTestRegistry()
  const digest = await registry.admin.pushBlob('hello', Buffer.from('x'))
  const blobs = join(registry.dataDirectory, 'blobs', 'sha256')
  await rename(blobs, `${blobs}-moved`)
  const failed = await registry.admin.ask('PUT', `${await registry.admin.beginUpload('hello')}?digest=${digest}`, {
    body: 'x',
  })
  assert.equal(failed.status, 500)
  const { errors } = failed.json() as { errors: [{ code: string; message: string; detail: { requestId: string } }] }
  assert.equal(errors[0].code, 'UNKNOWN')
  assert.ok(!failed.body.toString().includes(blobs))
  const line = registry.log.find(({ requestId }) => requestId === errors[0].detail.requestId)
  assert.equal(line?.['msg'], 'request failed')
  assert.match(JSON.stringify(line['err']), /ENOENT/)
})
