import { createHash, hash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { layerTar } from './layer-tar.ts'
import type { RegistryClient } from './registry-client.ts'

/** An image of the V1 API, as docker would push it. */
export interface V1TestImage {
  readonly id: string
  readonly json: string
  /** Gzip. */
  readonly layer: Buffer
  /** `X-Docker-Checksum-Payload`. */
  readonly payload: string
}

export function v1Image(name: string, parent?: V1TestImage, more: object = {}): V1TestImage {
  const id = hash('sha256', `id of ${name}`, 'hex')
  const json = JSON.stringify({ id, ...(parent && { parent: parent.id }), created: '2015-06-01T12:00:00Z', ...more })
  const layer = gzipSync(layerTar([{ name: `file of ${name.replaceAll('/', '-')}`, content: `content of ${name}` }]))
  return { id, json, layer, payload: payloadSum(json, layer) }
}

export function payloadSum(json: string, layer: Uint8Array): string {
  return `sha256:${createHash('sha256').update(json).update('\n').update(layer).digest('hex')}`
}

/** One step of the V1 API after the other. `client` is at `…/v1`. */
export async function pushV1(
  client: RegistryClient,
  name: string,
  tag: string,
  images: readonly V1TestImage[],
): Promise<void> {
  await expect(client, 'PUT', `repositories/${name}/`, [200], JSON.stringify(images.map(({ id }) => ({ id }))))
  for (const image of images) if (!(await isThere(client, image))) await pushV1Image(client, image)
  const top = images.at(-1)
  await expect(client, 'PUT', `repositories/${name}/tags/${tag}`, [200], JSON.stringify(top?.id))
  await expect(client, 'PUT', `repositories/${name}/images`, [204], '[]')
}

export async function pushV1Image(client: RegistryClient, { id, json, layer, payload }: V1TestImage): Promise<void> {
  await expect(client, 'PUT', `images/${id}/json`, [200], json)
  await expect(client, 'PUT', `images/${id}/layer`, [200], layer)
  const answer = await client.ask('PUT', `images/${id}/checksum`, { headers: { 'x-docker-checksum-payload': payload } })
  if (answer.status !== 200) throw new Error(`checksum: ${answer.status} ${answer.body.toString()}`)
}

async function isThere(client: RegistryClient, { id }: V1TestImage): Promise<boolean> {
  return (await client.ask('GET', `images/${id}/json`)).status === 200
}

async function expect(
  client: RegistryClient,
  method: string,
  path: string,
  statuses: readonly number[],
  body?: string | Uint8Array,
): Promise<void> {
  const answer = await client.ask(method, path, body === undefined ? {} : { body })
  if (!statuses.includes(answer.status))
    throw new Error(`${method} ${path}: ${answer.status} ${answer.body.toString()}`)
}
