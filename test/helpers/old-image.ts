import { hash } from 'node:crypto'
import { gzipSync } from 'node:zlib'

/** An image as docker 1.x pushes it: one step of a Dockerfile. */
export interface OldImage {
  readonly id: string
  readonly parent: string | undefined
  readonly json: Buffer
  /** As it goes over the wire. */
  readonly layer: Buffer
  readonly checksums: { readonly tarsum: string; readonly payload: string }
}

/** `says` is the content of the one file in its layer; the id follows from it unless given. */
export function oldImage(
  says: string,
  { parent, id }: { readonly parent?: OldImage; readonly id?: string } = {},
): OldImage {
  const itsId = id ?? hash('sha256', `${says} on ${parent?.id ?? 'nothing'}`)
  const json = Buffer.from(JSON.stringify(describe(itsId, parent?.id, says)))
  const entries = [tarEntry('x/', 'directory', Buffer.alloc(0)), tarEntry('x/says', 'file', Buffer.from(says))]
  const layer = gzipSync(Buffer.concat([...entries.map(({ block }) => block), Buffer.alloc(1024)]))
  const checksums = { tarsum: tarsumOf(json, entries), payload: payloadSum(json, layer) }
  return { id: itsId, parent: parent?.id, json, layer, checksums }
}

/** The base first, each on the one before. */
export function oldImages(...says: readonly string[]): readonly OldImage[] {
  const images: OldImage[] = []
  for (const content of says) {
    const parent = images.at(-1)
    images.push(oldImage(content, parent && { parent }))
  }
  return images
}

/** Docker 1.5, image/image.go and runconfig/config.go: the fields, and Go's order of them. */
function describe(id: string, parent: string | undefined, says: string): unknown {
  const config = {
    Hostname: '',
    Env: ['PATH=/bin'],
    Cmd: ['/bin/sh', '-c', `#(nop) SAY ${says} <&>`],
    Image: parent ?? '',
  }
  return {
    id,
    ...(parent === undefined ? {} : { parent }),
    created: '2015-02-10T12:00:00.123456789Z',
    container_config: config,
    docker_version: '1.5.0',
    config,
    architecture: 'amd64',
    os: 'linux',
    Size: says.length,
  }
}

interface TarEntry {
  readonly block: Buffer
  /** Of the header's fields and the content. */
  readonly sum: string
}

const mtime = 1423569600

function tarEntry(name: string, kind: 'file' | 'directory', content: Buffer): TarEntry {
  const [mode, type] = kind === 'file' ? [0o644, '0'] : [0o755, '5']
  const header = Buffer.alloc(512)
  header.write(name)
  const numbers = [
    [100, 8, mode],
    [108, 8, 0],
    [116, 8, 0],
    [124, 12, content.length],
    [136, 12, mtime],
  ] as const
  for (const [at, width, value] of numbers) header.write(`${value.toString(8).padStart(width - 1, '0')}\0`, at)
  header.write(`        ${type}`, 148)
  header.write('ustar\u000000root', 257)
  header.write('root', 297)
  const checksum = header.reduce((sum, byte) => sum + byte, 0)
  header.write(`${checksum.toString(8).padStart(6, '0')}\0 `, 148)
  const padding = Buffer.alloc((512 - (content.length % 512)) % 512)
  // Docker 1.5, pkg/tarsum/tarsum_spec.md, "Version 0".
  const fields = `name${name}mode${mode}uid0gid0size${content.length}mtime${mtime}typeflag${type}linknameunamerootgnamerootdevmajor0devminor0`
  return {
    block: Buffer.concat([header, content, padding]),
    sum: hash('sha256', Buffer.concat([Buffer.from(fields), content])),
  }
}

function tarsumOf(json: Buffer, entries: readonly TarEntry[]): string {
  const sums = entries.map(({ sum }) => sum).sort()
  return `tarsum+sha256:${hash('sha256', Buffer.concat([json, Buffer.from(sums.join(''))]))}`
}

/** What docker calls the checksum of the payload. */
function payloadSum(json: Buffer, layer: Buffer): string {
  return `sha256:${hash('sha256', Buffer.concat([json, Buffer.from('\n'), layer]))}`
}
