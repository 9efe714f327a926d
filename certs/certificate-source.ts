import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { GatewayConfig } from '../gateway/config.ts'
import { hasCode } from './atomic-file.ts'
import { authorityFiles } from './authority.ts'
import type { PairFiles } from './certificate-pair.ts'
import { directoriesOfPairs, findPairs } from './own-certificates.ts'
import { serverFiles } from './self-signed.ts'

export interface CertificateSettings {
  /** As configured, with absolute paths. */
  readonly certificates: GatewayConfig['certificates']
  /** Where our own authority and its certificate are kept. */
  readonly directory: string
}

/** The files that the configured certificates are in. */
export interface CertificateFiles {
  readonly pairs: readonly PairFiles[]
  /** Our own authority's certificate; undefined with certificates of somebody else's. */
  readonly authority: string | undefined
}

/** Throws CertificateError when the configured directory holds none. */
export async function certificateFiles({ certificates, directory }: CertificateSettings): Promise<CertificateFiles> {
  if (certificates === 'selfSigned') {
    return { pairs: [serverFiles(directory)], authority: authorityFiles(directory).cert }
  }
  if ('directory' in certificates) return { pairs: await findPairs(certificates.directory), authority: undefined }
  return { pairs: certificates, authority: undefined }
}

/** The directories in which a change of the certificates can be seen. */
export async function certificateDirectories({
  certificates,
  directory,
}: CertificateSettings): Promise<readonly string[]> {
  if (certificates === 'selfSigned') return [directory]
  if ('directory' in certificates) return await directoriesOfPairs(certificates.directory)
  return [...new Set(certificates.flatMap(({ cert, key }) => [dirname(cert), dirname(key)]))]
}

/** Differs whenever one of the files has been written, replaced or linked to another; symbolic links are followed. */
export async function stateOf({ pairs, authority }: CertificateFiles): Promise<string> {
  const files = [...pairs.flatMap(({ cert, key }) => [cert, key]), ...(authority ? [authority] : [])]
  return (await Promise.all(files.map(stateOfFile))).join('\n')
}

async function stateOfFile(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true })
    return [path, dev, ino, size, mtimeNs, ctimeNs].join(' ')
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return `${path} missing`
    throw error
  }
}
