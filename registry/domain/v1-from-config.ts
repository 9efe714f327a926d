import { hash } from 'node:crypto'
import { encodedOf, type Digest } from './digest.ts'
import { RegistryError } from './errors.ts'
import { isObject, parseJson } from './json.ts'
import { quoted, rawMembers, sortedObject } from './raw-json.ts'
import { parseV1Image, type V1Image } from './v1-image.ts'

/**
 * The images of the V1 API that docker makes of an image when it pushes it there, to the letter: whoever pushes it again finds them (moby 1.13,
 * distribution/push_v1.go). One for each layer, the base image first; one also where there is no layer at all. All but the top one are known by the
 * layers up to theirs, the top one by the whole configuration. Throws MANIFEST_INVALID for what is no configuration of an image.
 */
export function v1FromConfig(config: Uint8Array): readonly V1Image[] {
  const chain = chainIds(diffIdsIn(config)).slice(0, -1)
  const below = chain.map((id, index) => dependency(id, chain[index - 1]))
  return [...below, top(config, chain.at(-1))].map((json) => parseV1Image(Buffer.from(json)))
}

/** Of a configuration, digests of the layers without compression. Throws MANIFEST_INVALID. */
export function diffIdsIn(config: Uint8Array): readonly Digest[] {
  const parsed = parseJson(config)
  const body = 'value' in parsed && isObject(parsed.value) ? parsed.value : {}
  const rootfs = isObject(body.rootfs) && body.rootfs.type === 'layers' ? body.rootfs : undefined
  const listed = rootfs && (rootfs.diff_ids ?? []) // Programs in Go write an empty list as null.
  if (Array.isArray(listed) && listed.every(isSha256)) return listed
  throw new RegistryError('MANIFEST_INVALID', {
    message: 'rootfs: expected what the configuration of an image says of its layers, with digests in sha256',
  })
}

/** OCI image 1.1, "Layer ChainID", as hex digits. */
function chainIds(diffIds: readonly Digest[]): readonly string[] {
  const ids: string[] = []
  for (const diffId of diffIds) {
    const below = ids.at(-1)
    ids.push(below === undefined ? encodedOf(diffId) : hash('sha256', `sha256:${below} ${diffId}`, 'hex'))
  }
  return ids
}

function dependency(id: string, parent: string | undefined): string {
  return parent === undefined ? `{"id":"${id}"}` : `{"id":"${id}","parent":"${parent}"}`
}

/** What docker of before had no place for. */
const unknownToV1 = ['rootfs', 'history', 'os.version', 'os.features', 'parent']

function top(config: Uint8Array, parent: string | undefined): string {
  const members = rawMembers(new TextDecoder().decode(config))
  for (const name of unknownToV1) members.delete(name)
  members.set('id', quoted(hash('sha256', config, 'hex')))
  if (parent !== undefined) members.set('parent', quoted(parent))
  return sortedObject(members)
}

function isSha256(text: unknown): text is Digest {
  return typeof text === 'string' && /^sha256:[0-9a-f]{64}$/.test(text)
}
