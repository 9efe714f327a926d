import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext, getCACertificates } from 'node:tls'
import type { RemoteConfig } from '../../config.ts'
import { readSecret, type SecretValue } from '../../config/secret-value.ts'

/** What a TLS handshake is done with. */
export interface Trust {
  readonly ca?: readonly string[]
  readonly cert?: string
  readonly key?: string
}

export interface Trusts {
  /** With the upstream's own host. */
  readonly upstream: Trust
  /** With hosts that it leads to: they have certificates of their own authorities, and are not shown ours. */
  readonly others: Trust
}

/** Throws, naming the setting, for files that cannot be read or are something else. */
export async function readTrusts({ ca, clientCertificate }: RemoteConfig): Promise<Trusts> {
  const own = ca === undefined ? undefined : await readSetting('ca', () => readAuthorities(ca))
  const others = own && { ca: [...getCACertificates('default'), own] }
  const shown = clientCertificate && (await readPair(clientCertificate))
  return { upstream: { ...(own !== undefined && { ca: [own] }), ...shown }, others: { ...others } }
}

/** What is read for this setting; throws an error that names it. */
export async function readSetting<value>(setting: string, read: () => Promise<value>): Promise<value> {
  try {
    return await read()
  } catch (cause) {
    throw new Error(`${setting}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}

export async function readPassword(setting: string, secret: SecretValue): Promise<string> {
  return await readSetting(setting, () => readSecret(secret))
}

async function readAuthorities(file: string): Promise<string> {
  const pem = await readFile(file, 'utf8')
  try {
    new X509Certificate(pem).toString()
  } catch (cause) {
    throw new Error(`${file} is no PEM file with certificates`, { cause })
  }
  return pem
}

async function readPair(files: { readonly cert: string; readonly key: string }): Promise<Trust> {
  const cert = await readSetting('clientCertificate.cert', () => readAuthorities(files.cert))
  const key = await readSetting('clientCertificate.key', () => readFile(files.key, 'utf8'))
  await readSetting('clientCertificate.key', async () => {
    // Its own errors say nothing that a person understands, and may quote the key.
    if (!isKeyOf(cert, key)) throw new Error(`${files.key} is not the key of ${files.cert}`)
    await Promise.resolve()
  })
  return { cert, key }
}

function isKeyOf(cert: string, key: string): boolean {
  try {
    createSecureContext({ cert, key })
    return new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))
  } catch {
    return false
  }
}
