import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { globSync } from 'node:fs'
import { test } from 'node:test'
import { configJsonSchema } from '../../cli/config-schema.ts'
import { configurationReference } from '../../cli/configuration-reference.ts'
import { parseConfig } from '../../cli/config.ts'

const root = new URL('../../', import.meta.url)
const read = (path: string) => readFile(new URL(path, root), 'utf8')

test('docs/configuration.md and the JSON Schema are what the schema says (npm run docs)', async () => {
  assert.equal(await read('docs/configuration.md'), configurationReference())
  assert.deepEqual(JSON.parse(await read('docs/caisson.schema.json')), configJsonSchema())
})

test('every example of a configuration is valid', async () => {
  const examples = globSync('deploy/**/*.yaml', { cwd: root })
  assert.ok(examples.length > 0)
  for (const example of examples) parseConfig(await read(example), example)
})

test('every configuration shown in the README and the docs is valid', async () => {
  const pages = ['README.md', ...globSync('docs/*.md', { cwd: root })]
  for (const page of pages) {
    for (const [, yaml = ''] of (await read(page)).matchAll(/^```yaml\n(.*?)^```/gms)) parseConfig(yaml, page)
  }
})
