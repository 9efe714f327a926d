import { createHash, hash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'

/** An image of the V1 API: one step of a Dockerfile. */
export interface V1Step {
  readonly id: string
  readonly json: string
  /** As it was pushed. */
  readonly layer: Buffer
}

/** A tar file of one file, made by nobody's program. */
export function oneFileTar(name: string, content: string): Buffer {
  const header = Buffer.alloc(512)
  const put = (text: string, at: number) => void header.write(text, at, 'latin1')
  put(name, 0)
  put('0000644\0', 100)
  put('0000000\0', 108)
  put('0000000\0', 116)
  put(`${Buffer.byteLength(content).toString(8).padStart(11, '0')}\0`, 124)
  put('00000000000\0', 136)
  put('        0', 148)
  put('ustar\x0000', 257)
  const sum = header.reduce((sum, octet) => sum + octet, 0)
  put(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  const padding = Buffer.alloc((512 - (Buffer.byteLength(content) % 512)) % 512)
  return Buffer.concat([header, Buffer.from(content), padding, Buffer.alloc(1024)])
}

/** `packed`: how an old daemon has sent its layer. */
export function v1Step(name: string, parent?: V1Step, packed: 'gzip' | 'none' = 'gzip'): V1Step {
  const id = hash('sha256', name, 'hex')
  const json = JSON.stringify({
    id,
    ...(parent && { parent: parent.id }),
    created: '2014-09-01T12:00:00.123456789Z',
    container_config: { Cmd: ['/bin/sh', '-c', `#(nop) ADD ${name}`] },
    docker_version: '1.1.2',
    config: { Env: [`NAME=${name}`], Cmd: ['/bin/sh'] },
    architecture: 'amd64',
    os: 'linux',
    Size: 5,
  })
  const tar = oneFileTar(name, `file of ${name}\n`)
  return { id, json, layer: packed === 'gzip' ? gzipSync(tar) : tar }
}

export function payloadChecksum({ json, layer }: V1Step): string {
  return `sha256:${createHash('sha256').update(`${json}\n`).update(layer).digest('hex')}`
}

/** A storage directory of docker-registry, the V1 registry in Python. */
export class V1Storage {
  readonly directory: string

  constructor(directory: string) {
    this.directory = directory
  }

  async addImage(step: V1Step, checksum: string = JSON.stringify([payloadChecksum(step)])): Promise<void> {
    await this.write(`images/${step.id}/json`, step.json)
    await this.write(`images/${step.id}/layer`, step.layer)
    await this.write(`images/${step.id}/_checksum`, checksum)
  }

  async tag(image: string, tag: string, { id }: Pick<V1Step, 'id'>): Promise<void> {
    await this.write(`repositories/${image}/tag_${tag}`, id)
    await this.write(`repositories/${image}/tag${tag}_json`, '{"last_update": 1409572800}')
  }

  async write(path: string, content: string | Uint8Array): Promise<void> {
    const file = join(this.directory, path)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, content)
  }
}
