import type { Digest } from '../digest.ts'
import { RegistryError } from '../errors.ts'
import { isObject, parseJson } from '../json.ts'
import { parseV1Image } from '../v1-image.ts'
import { writeSchema1 } from './schema1.ts'

/** An image of the V1 API and the layer that it has. */
export interface V1Step {
  readonly json: Uint8Array
  readonly layer: Digest
}

/**
 * The unsigned manifest of schema 1 of an image of the V1 API and all that it is on, the base first. Throws MANIFEST_INVALID for images
 * with the short ids of old, which no client that reads schema 1 takes.
 */
export function schema1FromV1(
  as: { readonly name: string; readonly tag: string },
  chain: readonly V1Step[],
): Uint8Array {
  const top = chain.at(-1)
  if (!top) throw new RegistryError('MANIFEST_INVALID', { message: 'expected at least one image' })
  for (const { json } of chain) refuseShortId(json)
  const layers = chain.map(({ json, layer }) => ({ blobSum: layer, v1Compatibility: Buffer.from(json).toString() }))
  return writeSchema1({ ...as, architecture: architectureOf(top.json), layers: layers.toReversed() })
}

function refuseShortId(json: Uint8Array): void {
  const { id, parent } = parseV1Image(json)
  const short = [id, parent].find((one) => one !== undefined && one.length < 64)
  if (short === undefined) return
  throw new RegistryError('MANIFEST_INVALID', { message: `the image ${short} has a short id: expected 64 hex digits` })
}

/** docker's first images do not say it, and were for no other. */
function architectureOf(json: Uint8Array): string {
  const parsed = parseJson(json)
  const said = 'value' in parsed && isObject(parsed.value) ? parsed.value.architecture : undefined
  return typeof said === 'string' && said !== '' ? said : 'amd64'
}
