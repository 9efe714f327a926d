import { createCipheriv, createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Machine } from './machine.ts'

/**
 * Writes what `docker build`, `podman build` and `buildah build` make a three-layer image of without any network: one
 * that differs from all others when `name` does, on top of another when `from` says so. Resolves with the directory.
 */
export async function writeBuildContext(machine: Machine, name: string, from = 'FROM scratch'): Promise<string> {
  const directory = join(machine.directory, 'files', name)
  await mkdir(directory, { recursive: true })
  await writeFile(join(directory, 'greeting'), `hello from ${name}\n`)
  await writeFile(join(directory, 'text'), `${name} says it again and again\n`.repeat(20_000))
  // Larger than what proxies take of a request body unless told otherwise.
  await writeFile(join(directory, 'noise'), incompressible(name, 3 * 1024 * 1024))
  await writeFile(join(directory, 'Dockerfile'), `${from}\n${dockerfile}`)
  return directory
}

const dockerfile = `COPY greeting /greeting
COPY text /usr/share/text
COPY noise /usr/share/noise
LABEL org.opencontainers.image.title=hello
CMD ["/greeting"]
`

/** As large on the wire. */
export function incompressible(name: string, bytes: number): Buffer {
  const key = createHash('sha256').update(name).digest()
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(bytes))
}
