import assert from 'node:assert/strict'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { Command, CommanderError } from 'commander'
import { z } from 'zod'
import { certsCommand } from '../../cli/certs-command.ts'
import { ensureSelfSigned } from '../../certs/self-signed.ts'
import { filesIn, daysFromNow, oldAuthority, temporaryDirectory, writePair } from './pairs.ts'

const yaml = `
gateway:
  listeners: [{ port: 443 }, { port: 5001, repository: docker-local }]
  hosts:
    artprod.company.com: docker-local
    "*.docker.company.com": { repositoryFrom: host }
`

async function setUp(t: TestContext, config = yaml) {
  const temporary = await temporaryDirectory()
  t.after(async () => await temporary[Symbol.asyncDispose]())
  const file = join(temporary.path, 'caisson.yaml')
  const data = join(temporary.path, 'data')
  await writeFile(file, config)
  return {
    directory: temporary.path,
    certs: join(data, 'certs'),
    /** Resolves with what the command printed; rejects as the command does. */
    run: async (...argv: string[]): Promise<string> => {
      const printed: unknown[] = []
      const log = t.mock.method(console, 'log', (text: unknown) => printed.push(text))
      t.mock.method(console, 'error', () => {})
      const root = new Command('caisson').option('--config <file>').option('--data <directory>')
      root.addCommand(strict(certsCommand()))
      try {
        await root.parseAsync(['--config', file, '--data', data, 'certs', ...argv], { from: 'user' })
        return printed.join('\n')
      } finally {
        log.mock.restore()
      }
    },
  }
}

function strict(command: Command): Command {
  command.exitOverride().configureOutput({ writeErr: () => {} })
  command.commands.forEach(strict)
  return command
}

const certificate = z.object({ names: z.array(z.string()), fingerprint: z.string(), problem: z.string().optional() })
const shown = z.object({ served: z.array(certificate), authority: certificate.optional() })

test('issue makes what is missing, and show tells of the certificate served and its authority', async (t) => {
  const { certs, run } = await setUp(t)
  assert.match(await run('issue'), /^issued .*server\.crt, valid to .*\nfor artprod\.company\.com, /)
  const server = new X509Certificate(await readFile(join(certs, 'server.crt')))
  const root = new X509Certificate(await readFile(join(certs, 'ca.crt')))

  const text = await run('show')
  for (const part of [server.fingerprint256, root.fingerprint256, '*.docker.company.com', 'CN=artprod.company.com'])
    assert.ok(text.includes(part), part)
  const { served, authority } = shown.parse(JSON.parse(await run('show', '--json')))
  assert.deepEqual([served[0]?.fingerprint, authority?.fingerprint], [server.fingerprint256, root.fingerprint256])
  assert.ok(served[0]?.names.includes('artprod.company.com'))
  assert.equal(served[0]?.problem, undefined)
})

test('show describes a certificate that has run out and says so', async (t) => {
  const { directory, run } = await setUp(t, 'gateway: { certificates: { cert: a.crt, key: a.key } }\n')
  await writePair(await oldAuthority(directory), filesIn(directory, 'a'), ['a.company.com'], daysFromNow(-500))
  assert.match(await run('show'), /subject +CN=a\.company\.com[^]*NOT SERVED +.*a\.crt ran out on /)
  assert.equal(shown.parse(JSON.parse(await run('show', '--json'))).authority, undefined)
})

test('issue with --host and --out makes a pair for another machine from the same authority', async (t) => {
  const { directory, certs, run } = await setUp(t)
  const out = join(directory, 'out')
  await run('issue', '--host', '*.other.com', '10.0.0.9', '--out', out)
  const server = new X509Certificate(await readFile(join(out, 'wildcard.other.com.crt')))
  const root = new X509Certificate(await readFile(join(certs, 'ca.crt')))
  assert.ok(server.verify(root.publicKey) && server.checkHost('a.other.com') && server.checkIP('10.0.0.9'))
  assert.ok(server.checkPrivateKey(createPrivateKey(await readFile(join(out, 'wildcard.other.com.key')))))
  assert.deepEqual((await readdir(certs)).sort(), ['ca.crt', 'ca.key'])
})

test('wrong use is told from failure', async (t) => {
  const { directory, run } = await setUp(t)
  await assert.rejects(run('issue', '--host', 'a.com'), CommanderError)
  await assert.rejects(run('issue', '--out', directory), CommanderError)
  await assert.rejects(run('trust', '--directory', directory), CommanderError)
  await assert.rejects(
    run('issue', '--host', 'a.com:443', '--out', directory),
    /"a\.com:443" cannot be in a certificate/,
  )
  await assert.rejects(run('trust'), /ca\.crt does not exist yet: start caisson once, or run "caisson certs issue"/)
})

test('trust prints the texts for the configured addresses, or for those named', async (t) => {
  const { certs, run } = await setUp(t)
  await ensureSelfSigned({ directory: certs, hosts: [] })
  const text = await run('trust')
  for (const part of ['/etc/docker/certs.d/artprod.company.com/ca.crt', '/certs.d/artprod.company.com:5001/hosts.toml'])
    assert.ok(text.includes(part), part)
  assert.match(await run('trust', 'hub.docker.company.com'), /certs\.d\/hub\.docker\.company\.com\/ca\.crt/)
})

test('trust --docker writes the authority for the configured addresses, or for those named', async (t) => {
  const { directory, certs, run } = await setUp(t)
  await ensureSelfSigned({ directory: certs, hosts: [] })
  const authority = await readFile(join(certs, 'ca.crt'), 'utf8')
  const [all, one] = [join(directory, 'all'), join(directory, 'one')]
  await run('trust', '--docker', '--directory', all)
  assert.deepEqual((await readdir(all)).sort(), ['artprod.company.com', 'artprod.company.com:5001'])
  await run('trust', '--docker', 'hub.docker.company.com', '--directory', one)
  assert.deepEqual(await readdir(one), ['hub.docker.company.com'])
  assert.equal(await readFile(join(one, 'hub.docker.company.com/ca.crt'), 'utf8'), authority)
})

test('with certificates of one own there is nothing to issue and no authority to trust', async (t) => {
  const { run } = await setUp(t, 'gateway: { certificates: { cert: a.crt, key: a.key } }\n')
  await assert.rejects(run('issue'), /certificates of your own, which whoever issued them renews/)
  await assert.rejects(run('trust'), /certificates of your own: have clients trust whoever issued them/)
})
