import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { ensureAuthority, type Authority } from '../../certs/authority.ts'
import type { PairFiles } from '../../certs/certificate-pair.ts'
import { certificateNames } from '../../certs/names.ts'
import { generateRsaKey } from '../../certs/rsa-key.ts'
import { issueServerCertificate } from '../../certs/server-certificate.ts'
import { dayMs } from '../../certs/validity.ts'

export const now = new Date()
export const noMachine = { hostNames: [], addresses: [] }

export function daysFromNow(days: number): Date {
  return new Date(now.getTime() + days * dayMs)
}

export async function temporaryDirectory(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'caisson-certs-'))
  return { path, [Symbol.asyncDispose]: async () => await rm(path, { recursive: true, force: true }) }
}

/** An authority that was made two years ago, so that certificates of any age can come from it. */
export async function oldAuthority(directory: string): Promise<Authority> {
  return await ensureAuthority(join(directory, 'authority'), daysFromNow(-730))
}

/** Issues a certificate, at `at`, and writes it with its key, by the names given. */
export async function writePair(
  authority: Authority,
  files: PairFiles,
  hosts: readonly string[],
  at: Date = now,
): Promise<PairFiles> {
  const key = await generateRsaKey(2048)
  const names = certificateNames(hosts, noMachine)
  // Without what every certificate of ours is for, so that the choice among several can be seen.
  const dns = names.dns.filter((name) => name !== 'localhost')
  await mkdir(dirname(files.cert), { recursive: true })
  await writeFile(files.key, key)
  await writeFile(files.cert, issueServerCertificate({ authority, key, names: { ...names, dns }, now: at }))
  return files
}

export function filesIn(directory: string, name: string): PairFiles {
  return { cert: join(directory, `${name}.crt`), key: join(directory, `${name}.key`) }
}
