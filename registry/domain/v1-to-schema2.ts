import { hash } from 'node:crypto'
import { digestOf, type Digest } from './digest.ts'
import { RegistryError } from './errors.ts'
import { objectOf, quoted, rawItems, rawMembers, sortedObject } from './raw-json.ts'
import { dockerManifest, type RebuiltManifest } from './rebuilt-manifest.ts'
import { knownV1Fields } from './v1-fields.ts'

export interface V1Layer {
  /** Of the V1 image: an object in UTF-8, as `parseV1Image` has found it. */
  readonly json: Uint8Array
  /** Its layer, compressed with gzip. */
  readonly blob: { readonly digest: Digest; readonly size: number }
  /** Digest of the layer without its compression. */
  readonly diffId: Digest
}

export interface Schema2 {
  readonly config: Uint8Array
  readonly manifest: RebuiltManifest
}

/**
 * The image that docker itself makes of a V1 image that it pulls, to the letter: it has the same id (moby 20.10, image/v1/imagev1.go). The
 * base image comes first. Every V1 image stays a layer, also where the layer is empty. Throws MANIFEST_INVALID for JSON that docker does
 * not read.
 */
export function schema2FromV1(images: readonly V1Layer[]): Schema2 {
  const texts = images.map(({ json }) => new TextDecoder().decode(json))
  const known = texts.map((text) => rawMembers(knownV1Fields(text)))
  const [top, topKnown] = [texts.at(-1), known.at(-1)]
  if (top === undefined || !topKnown)
    throw new RegistryError('MANIFEST_INVALID', { message: 'an image has at least one layer' })

  const members = isBefore183(stringIn(topKnown, 'docker_version')) ? topKnown : rawMembers(top)
  for (const field of dropped) members.delete(field)
  const diffIds = images.map(({ diffId }) => quoted(diffId)).join(',')
  members.set('rootfs', `{"type":"layers","diff_ids":[${diffIds}]}`)
  members.set('history', `[${known.map(historyOf).join(',')}]`)

  const config = Buffer.from(sortedObject(members))
  const described = { digest: digestOf('sha256', hash('sha256', config, 'hex')), size: config.length }
  const layers = images.map(({ blob }) => ({ ...blob, compression: 'gzip' }) as const)
  return { config, manifest: dockerManifest({ config: described, layers }) }
}

/** They name other V1 images, or are about this one as it was kept. */
const dropped = ['id', 'parent', 'Size', 'parent_id', 'layer_id', 'throwaway']

/** Versions before it wrote fields of no meaning; docker takes what it knows of them. A number that cannot be read counts as 0. */
function isBefore183(version: string): boolean {
  const parts = version.split('.').map((part) => (/^[+-]?\d+$/.test(part) ? Number(part) : 0))
  const minimum = [1, 8, 3]
  for (let at = 0; at < Math.max(parts.length, minimum.length); at++) {
    const difference = (parts[at] ?? 0) - (minimum[at] ?? 0)
    if (difference !== 0) return difference < 0
  }
  return false
}

/** moby 20.10, image/image.go, `History`. */
function historyOf(known: ReadonlyMap<string, string>): string {
  const created_by = commandOf(known).join(' ')
  const optional = { author: stringIn(known, 'author'), created_by, comment: stringIn(known, 'comment') }
  const said = Object.entries(optional).filter(([, value]) => value !== '')
  return objectOf([
    ['created', known.get('created') ?? 'null'],
    ...said.map(([name, value]) => [name, quoted(value)] as const),
  ])
}

function commandOf(known: ReadonlyMap<string, string>): readonly string[] {
  const command = rawMembers(known.get('container_config') ?? '{}').get('Cmd') ?? 'null'
  return command === 'null' ? [] : rawItems(command).map((word) => JSON.parse(word) as string)
}

function stringIn(known: ReadonlyMap<string, string>, name: string): string {
  return JSON.parse(known.get(name) ?? '""') as string
}
