import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { hasCode } from './atomic-file.ts'
import type { PairFiles } from './certificate-pair.ts'
import { CertificateError } from './certificate-error.ts'

/**
 * The pairs in a directory, by name: `<name>.crt` or `<name>.pem` with `<name>.key`, and `<name>/fullchain.pem` with
 * `<name>/privkey.pem` as certbot keeps them. A certificate without a key is none of the server's and is passed over.
 * Throws CertificateError when there is no pair, or a key without its certificate.
 */
export async function findPairs(directory: string): Promise<readonly PairFiles[]> {
  const names = await namesIn(directory)
  const beside = names.filter((name) => name.endsWith('.key')).map((key) => pairOf(directory, key, names))
  const below = await Promise.all(names.map((name) => certbotPair(join(directory, name))))
  const pairs = [...beside, ...below.filter((pair) => pair !== undefined)].sort((a, b) => (a.cert < b.cert ? -1 : 1))
  if (pairs.length > 0) return pairs
  throw new CertificateError(
    `${directory} holds no certificates: put <name>.crt and <name>.key there, or directories with fullchain.pem and privkey.pem`,
  )
}

/** The directories whose entries {@link findPairs} looks at. */
export async function directoriesOfPairs(directory: string): Promise<readonly string[]> {
  const paths = (await namesIn(directory)).map((name) => join(directory, name))
  const isOne = await Promise.all(paths.map(isDirectory))
  return [directory, ...paths.filter((_, index) => isOne[index])]
}

function pairOf(directory: string, key: string, names: readonly string[]): PairFiles {
  const name = key.slice(0, -'.key'.length)
  const cert = [`${name}.crt`, `${name}.pem`].find((candidate) => names.includes(candidate))
  if (cert) return { cert: join(directory, cert), key: join(directory, key) }
  throw new CertificateError(
    `${join(directory, key)} has no certificate beside it: put ${name}.crt or ${name}.pem there, or take the key away`,
  )
}

async function certbotPair(directory: string): Promise<PairFiles | undefined> {
  if (!(await isDirectory(directory))) return undefined
  const names = await namesIn(directory)
  if (!names.includes('fullchain.pem') || !names.includes('privkey.pem')) return undefined
  return { cert: join(directory, 'fullchain.pem'), key: join(directory, 'privkey.pem') }
}

/** Without hidden ones: Kubernetes keeps the former and the coming state of a mounted secret in such. */
async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return (await readdir(directory)).filter((name) => !name.startsWith('.'))
  } catch (cause) {
    throw new CertificateError(`the certificates in ${directory} cannot be listed: ${whyNot(cause)}`, { cause })
  }
}

function whyNot(cause: unknown): string {
  if (hasCode(cause, 'ENOENT')) return 'it does not exist; correct the path or make it'
  if (hasCode(cause, 'ENOTDIR')) return 'it is a file; name the directory it lies in'
  if (hasCode(cause, 'EACCES')) return 'this user may not read it; give it read permission'
  return cause instanceof Error ? cause.message : String(cause)
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false // a link that leads nowhere, or just taken away
    throw error
  }
}
