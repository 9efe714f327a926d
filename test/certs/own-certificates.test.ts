import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { CertificateError } from '../../certs/certificate-error.ts'
import { loadPair, type PairFiles } from '../../certs/certificate-pair.ts'
import { findPairs } from '../../certs/own-certificates.ts'
import { daysFromNow, filesIn, now, oldAuthority, temporaryDirectory, writePair } from './pairs.ts'

async function setUp(t: TestContext) {
  const temporary = await temporaryDirectory()
  t.after(async () => await temporary[Symbol.asyncDispose]())
  const authority = await oldAuthority(temporary.path)
  const files = await writePair(authority, filesIn(temporary.path, 'a'), ['a.company.com'])
  return { directory: temporary.path, authority, files }
}

/** Refused with a message that names the file and matches. */
async function refused(files: PairFiles, file: string, message: RegExp): Promise<void> {
  await assert.rejects(loadPair(files, now), (error) => {
    assert.ok(error instanceof CertificateError)
    assert.ok(error.message.includes(file), error.message)
    assert.match(error.message, message)
    return true
  })
}

test('a pair is loaded with its chain, from two files or from one', async (t) => {
  const { directory, authority, files } = await setUp(t)
  const [cert, key] = await Promise.all([readFile(files.cert, 'utf8'), readFile(files.key, 'utf8')])
  const both = join(directory, 'both.pem')
  await writeFile(both, `Bag Attributes\n${key}${cert}${authority.cert}`)

  assert.equal((await loadPair(files, now)).cert, cert)
  const pair = await loadPair({ cert: both, key: both }, now)
  assert.deepEqual([pair.cert, pair.key], [cert + authority.cert, key])
})

test('a key that does not belong to the certificate is refused, naming both', async (t) => {
  const { directory, authority, files } = await setUp(t)
  const other = await writePair(authority, filesIn(directory, 'b'), ['b.company.com'])
  await refused(
    { cert: files.cert, key: other.key },
    files.cert,
    /b\.key does not belong to the certificate in .*a\.crt/,
  )
})

test('a chain in the wrong order is refused with what to change', async (t) => {
  const { authority, files } = await setUp(t)
  await writeFile(files.cert, authority.cert + (await readFile(files.cert, 'utf8')))
  await refused(files, files.cert, /is not the first: put it above/)
})

test('a certificate that has run out or is not yet valid is refused with the date', async (t) => {
  const { authority, files } = await setUp(t)
  await writePair(authority, files, ['a.company.com'], daysFromNow(-400))
  const { validTo } = new X509Certificate(await readFile(files.cert))
  await refused(files, files.cert, new RegExp(`ran out on ${new Date(validTo).toISOString()}: put a renewed one there`))
  await writePair(authority, files, ['a.company.com'], daysFromNow(2))
  await refused(files, files.cert, /is valid only from .* on: check this machine's clock/)
})

test('files that are missing, unreadable or hold something else are refused with what to do', async (t) => {
  const { directory, files } = await setUp(t)
  const key = await readFile(files.key, 'utf8')
  const holding = async (name: string, text: string | Uint8Array) => {
    await writeFile(join(directory, name), text)
    return join(directory, name)
  }
  const cases: readonly (readonly [string, RegExp])[] = [
    [join(directory, 'nowhere'), /does not exist: correct the path/],
    [directory, /is a directory: name the file in it/],
    [await holding('empty', ''), /holds no certificate in PEM form: it is empty/],
    [await holding('key', key), /holds no certificate in PEM form: it holds a PRIVATE KEY; was another file meant\?/],
    [await holding('der', new X509Certificate(await readFile(files.cert)).raw), /"openssl x509 -inform der"/],
    [await holding('cut', (await readFile(files.cert, 'utf8')).replace(/\n.{64}\n/, '\n')), /is damaged/],
  ]
  for (const [cert, message] of cases) await refused({ ...files, cert }, cert, message)
  await refused({ ...files, key: files.cert }, files.cert, /holds no private key in PEM form: it holds a CERTIFICATE/)
})

test('a key with a pass phrase is refused with the command that removes it', async (t) => {
  const { files } = await setUp(t)
  const locked = `${files.key}.locked`
  const key = createPrivateKey(await readFile(files.key))
  const pem = key.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' })
  await writeFile(locked, pem)
  await refused({ ...files, key: locked }, locked, /has a pass phrase: remove it with "openssl pkey -in /)
})

test('a file that this user may not read is refused with what to do', { skip: rootless() }, async (t) => {
  const { files } = await setUp(t)
  const script = `
    import { loadPair } from ${JSON.stringify(join(import.meta.dirname, '../../certs/certificate-pair.ts'))}
    process.setuid('nobody')
    await loadPair(${JSON.stringify(files)}, new Date()).catch((error) => console.log(error.message))`
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
  assert.match(output, /a\.crt may not be read by this user: give it read permission/)
})

test('a directory gives its pairs by name: .crt or .pem with .key, and certbot directories', async (t) => {
  const { directory, files } = await setUp(t)
  const [cert, key] = await Promise.all([readFile(files.cert, 'utf8'), readFile(files.key, 'utf8')])
  const own = join(directory, 'own')
  const write = async (path: string, text: string) => await writeFile(join(own, path), text)
  await mkdir(join(own, 'mid.company.com'), { recursive: true })
  await mkdir(join(own, '..data'))
  await Promise.all([
    write('z.crt', cert),
    write('z.key', key),
    write('a.pem', cert),
    write('a.key', key),
    write('ca.crt', cert),
    write('README', 'text'),
    write('mid.company.com/fullchain.pem', cert),
    write('mid.company.com/privkey.pem', key),
    write('..data/fullchain.pem', cert),
    write('..data/privkey.pem', key),
  ])
  assert.deepEqual(await findPairs(own), [
    { cert: join(own, 'a.pem'), key: join(own, 'a.key') },
    { cert: join(own, 'mid.company.com/fullchain.pem'), key: join(own, 'mid.company.com/privkey.pem') },
    { cert: join(own, 'z.crt'), key: join(own, 'z.key') },
  ])
})

test('a directory without pairs, or with a key alone, or that is none, is refused with what to do', async (t) => {
  const { directory, files } = await setUp(t)
  const empty = join(directory, 'empty')
  await mkdir(empty)
  await assert.rejects(findPairs(empty), /empty holds no certificates: put <name>\.crt and <name>\.key there/)
  await writeFile(join(empty, 'a.key'), '')
  await assert.rejects(findPairs(empty), /a\.key has no certificate beside it: put a\.crt or a\.pem there/)
  await assert.rejects(findPairs(join(directory, 'nowhere')), /it does not exist; correct the path or make it/)
  await assert.rejects(findPairs(files.cert), /it is a file; name the directory it lies in/)
})

/** Only root can become the user who may not read. */
function rootless(): string | false {
  return process.getuid?.() === 0 ? false : 'needs root'
}
