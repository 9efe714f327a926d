import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { banner } from '../../cli/banner.ts'
import { loadConfig } from '../../cli/config.ts'

const onePathPort = 'gateway: { listeners: [{ port: 8443 }] }\nregistry: { repositories: { apps: { type: local } } }\n'

async function printed(keptPassword: boolean): Promise<{ text: string; directory: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'caisson-banner-'))
  try {
    const file = join(directory, 'own.yaml')
    await writeFile(file, onePathPort)
    const config = await loadConfig({ config: file, data: join(directory, 'kept') })
    return { text: banner({ config, ports: [8443], firstAdmin: undefined, keptPassword }), directory }
  } finally {
    await rm(directory, { recursive: true })
  }
}

test('a command that is suggested works as it stands, also with a configuration and data elsewhere', async () => {
  const { text, directory } = await printed(false)
  assert.ok(text.includes(`npm run caisson -- certs trust --config ${directory}/own.yaml --data ${directory}/kept `))
})

test('a first push is suggested where repositories are the first part of the name', async () => {
  assert.match((await printed(false)).text, /docker push localhost:8443\/apps\/hello:1$/m)
})

test('a later start says where the first password is kept, and only when it is', async () => {
  const { text, directory } = await printed(true)
  assert.ok(text.includes(`Login: admin, first password in ${directory}/kept/admin-password`))
  assert.doesNotMatch((await printed(false)).text, /Login/)
})
