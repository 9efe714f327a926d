import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { replaceFile } from './atomic-file.ts'
import { CertificateError } from './certificate-error.ts'

export const dockerDirectory = '/etc/docker/certs.d'

export interface DockerTrust {
  /** Default: where Docker on Linux looks; podman looks in /etc/containers/certs.d. */
  readonly certsDirectory?: string | undefined
  /** As in image names: `registry.company.com` or `registry.company.com:8443`. */
  readonly hostPort: string
  /** PEM. */
  readonly authorityPem: string
}

/** Makes Docker, from its next request on, trust the registry at `hostPort`. Returns the file written. */
export async function writeDockerTrust(trust: DockerTrust): Promise<string> {
  const directory = join(trust.certsDirectory ?? dockerDirectory, checkedHostPort(trust.hostPort))
  await mkdir(directory, { recursive: true })
  const file = join(directory, 'ca.crt')
  await replaceFile(file, trust.authorityPem, 0o644)
  return file
}

/** Becomes the name of a directory and part of commands to paste, so nothing else may pass. */
export function checkedHostPort(hostPort: string): string {
  const valid = /^(?:\[[0-9a-f:]+\]|[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?)(?::\d{1,5})?$/i.test(hostPort)
  if (valid && !hostPort.includes('..')) return hostPort
  throw new CertificateError(
    `"${hostPort}" is not the address of a registry: expected host or host:port, without https://`,
  )
}
