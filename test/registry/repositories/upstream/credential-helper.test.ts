import assert from 'node:assert/strict'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { tinyImage } from '../../../helpers/tiny-image.ts'
import { temporaryDirectory } from '../../../helpers/temporary-directory.ts'
import { clientOf, failing, image, latest, startUpstream } from './upstreams.ts'

const login = { username: 'us', password: 'a secret word' }

test("a helper is asked by docker's protocol, and again only after minutes", async (t) => {
  let now = 1_000_000
  const upstream = await startUpstream(t, { login })
  upstream.content.push(image, 'latest', tinyImage('a'))
  const helper = await helperThat(t, `echo '{"ServerURL":"x","Username":"us","Secret":"a secret word"}'`)
  const settings = { credentialHelper: [helper.program, '--registry', '$(touch x)'] }
  const { client } = await clientOf(t, upstream.url, settings, { now: () => now })
  assert.ok(await client.manifest(image, latest))
  assert.ok(await client.manifest(image, latest))
  const asked = `--registry|$(touch x)|get|${new URL(upstream.url).host}\n`
  assert.equal(await helper.asked(), asked)
  now += 5 * 60_000
  assert.ok(await client.manifest(image, latest))
  assert.equal(await helper.asked(), asked + asked)
})

test('a helper is asked again when what it said is refused', async (t) => {
  const upstream = await startUpstream(t, { login })
  upstream.content.push(image, 'latest', tinyImage('a'))
  const helper = await helperThat(
    t,
    `if [ "$(wc -l <"$log")" -gt 1 ]; then echo '{"Username":"us","Secret":"a secret word"}'; else echo '{"Username":"us","Secret":"old"}'; fi`,
  )
  const { client } = await clientOf(t, upstream.url, { credentialHelper: helper.program })
  await assert.rejects(client.manifest(image, latest), failing('refused', /with credentials/))
  assert.ok(await client.manifest(image, latest))
})

for (const [what, script] of [
  ['fails', 'exit 1'],
  ['says what is refused', `echo '{"Username":"us","Secret":"old"}'`],
] as const) {
  test(`a helper that ${what} is not run for each who asks`, async (t) => {
    let now = 1_000_000
    const upstream = await startUpstream(t, { login })
    const helper = await helperThat(t, script)
    const { client } = await clientOf(t, upstream.url, { credentialHelper: helper.program }, { now: () => now })
    const runs = async (): Promise<number> => (await helper.asked()).split('\n').length - 1
    const askOften = async () => {
      for (let count = 0; count < 10; count++) await assert.rejects(client.manifest(image, latest), failing('refused'))
    }
    await askOften()
    const before = await runs()
    assert.ok(before <= 2, `${before} runs`)
    await askOften()
    assert.equal(await runs(), before)
    now += 5000
    await askOften()
    assert.equal(await runs(), before + 1)
  })
}

test('a helper may say an identity token', async (t) => {
  const upstream = await startUpstream(t, { tokens: { identityToken: 'an identity', login } })
  upstream.content.push(image, 'latest', tinyImage('a'))
  const helper = await helperThat(t, `echo '{"Username":"<token>","Secret":"an identity"}'`)
  const { client } = await clientOf(t, upstream.url, { credentialHelper: helper.program })
  assert.ok(await client.manifest(image, latest))
  assert.equal(upstream.tokens.listener.count('POST'), 1)
})

const failures: readonly (readonly [name: string, script: string, message: RegExp])[] = [
  ['that fails', 'echo secret; echo secret >&2; exit 3', /credential helper .* ended with status 3$/],
  ['that says no JSON', 'echo secret', /gives no Username and Secret$/],
  ['that says less', `echo '{"Username":"secret"}'`, /gives no Username and Secret$/],
  ['that says too much', 'yes secret', /said too much$/],
]
for (const [name, script, message] of failures) {
  test(`a helper ${name} is refused, and what it says is in no message`, async (t) => {
    const upstream = await startUpstream(t, { login })
    const helper = await helperThat(t, script)
    const { client } = await clientOf(t, upstream.url, { credentialHelper: helper.program })
    await assert.rejects(client.manifest(image, latest), (error) => {
      assert.ok(error instanceof Error)
      assert.doesNotMatch(`${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`, /secret/)
      return failing('refused', message)(error)
    })
  })
}

test('a helper that is not there is refused', async (t) => {
  const upstream = await startUpstream(t, { login })
  const { client } = await clientOf(t, upstream.url, { credentialHelper: '/nowhere/docker-credential-x' })
  await assert.rejects(client.manifest(image, latest), failing('refused', /cannot be run \(ENOENT\)/))
})

async function helperThat(t: TestContext, script: string) {
  const directory = await temporaryDirectory()
  t.after(() => directory[Symbol.asyncDispose]())
  const program = join(directory.path, 'docker-credential-test')
  const log = join(directory.path, 'log')
  const head = `#!/bin/sh\nlog='${log}'\nIFS='|'; server=$(cat); echo "$*|$server" >>"$log"; unset IFS\n`
  await writeFile(program, `${head}${script}\n`)
  await chmod(program, 0o755)
  return { program, asked: () => readFile(log, 'utf8') }
}
