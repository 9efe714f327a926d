import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { parseConfig } from '../../../cli/config.ts'
import { openUserSources } from '../../../registry/identity/user-sources.ts'
import { keepLog } from '../../helpers/kept-log.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'

const { log } = keepLog()
const configured = (registry: object) => parseConfig(JSON.stringify({ registry }), 'test').registry

test('without any configured there is no source; else the file comes before the directory', async () => {
  await using none = await openUserSources(configured({}), log)
  assert.deepEqual(none.sources, [])

  await using directory = await temporaryDirectory()
  const file = join(directory.path, 'users')
  await writeFile(file, '')
  const ldap = { url: 'ldap://127.0.0.1', users: { base: 'o=us' } }
  await using both = await openUserSources(configured({ ldap, htpasswd: { file } }), log)
  assert.deepEqual(
    both.sources.map(({ realm }) => realm),
    ['htpasswd', 'ldap'],
  )
})

test('a source that is not as configured is no reason to go on without it', async () => {
  await assert.rejects(openUserSources(configured({ htpasswd: { file: '/nowhere/users' } }), log), /\/nowhere\/users/)
})
