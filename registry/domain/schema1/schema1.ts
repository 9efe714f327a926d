import { isDigest, type Digest } from '../digest.ts'
import { RegistryError } from '../errors.ts'
import { isObject, parseJson, type JsonObject } from '../json.ts'
import { quoted } from '../raw-json.ts'

/** What a manifest of Docker's "Image Manifest Version 2, Schema 1" says. */
export interface Schema1 {
  readonly name: string
  readonly tag: string
  readonly architecture: string
  /** The top one first. */
  readonly layers: readonly Schema1Layer[]
}

export interface Schema1Layer {
  readonly blobSum: Digest
  /** JSON of an image of the V1 API. */
  readonly v1Compatibility: string
}

/** `payload`: what was signed. Throws MANIFEST_INVALID with a message that says what was expected, for what docker would not pull. */
export function parseSchema1(payload: Uint8Array): Schema1 {
  const json = parseJson(payload)
  if ('problem' in json || !isObject(json.value)) throw invalid('expected a JSON object')
  const body = json.value
  if (body.schemaVersion !== 1) throw invalid('schemaVersion: expected 1')
  const blobSums = blobSumsIn(body)
  const history = historyIn(body)
  if (blobSums.length === 0) throw invalid('fsLayers: expected at least one')
  if (blobSums.length !== history.length)
    throw invalid(`history: expected one for each of the ${blobSums.length} fsLayers, and there are ${history.length}`)
  refuseBrokenChain(history)
  return {
    name: textIn(body, 'name'),
    tag: textIn(body, 'tag'),
    architecture: textIn(body, 'architecture'),
    layers: blobSums.map((blobSum, index) => ({ blobSum, v1Compatibility: history[index]?.text ?? '' })),
  }
}

/** Throws MANIFEST_INVALID. */
export function blobSumsIn({ fsLayers }: JsonObject): readonly Digest[] {
  if (!Array.isArray(fsLayers)) throw invalid('fsLayers: expected a list of objects with a blobSum')
  return fsLayers.map((layer: unknown, index) => {
    const blobSum = isObject(layer) ? layer.blobSum : undefined
    if (typeof blobSum === 'string' && isDigest(blobSum)) return blobSum
    throw invalid(`fsLayers[${index}].blobSum: expected sha256:<64 hex digits>`)
  })
}

interface Step {
  readonly text: string
  readonly id: string
  readonly parent: unknown
}

function historyIn({ history }: JsonObject): readonly Step[] {
  if (!Array.isArray(history)) throw invalid('history: expected a list of objects with a v1Compatibility')
  return history.map((entry: unknown, index) => {
    const text = isObject(entry) ? entry.v1Compatibility : undefined
    const json = typeof text === 'string' ? parseJson(Buffer.from(text)) : undefined
    const where = `history[${index}].v1Compatibility`
    if (typeof text !== 'string' || !json || 'problem' in json || !isObject(json.value))
      throw invalid(`${where}: expected a text that is a JSON object`)
    const { id, parent } = json.value
    if (typeof id === 'string' && /^[0-9a-f]{64}$/.test(id)) return { text, id, parent }
    throw invalid(`${where}.id: expected 64 hex digits`)
  })
}

/** Each is on top of the next one, or is it once more; docker pulls no other. What the lowest is on, only Windows knows. */
function refuseBrokenChain(history: readonly Step[]): void {
  for (const [index, { id, parent }] of history.entries()) {
    const below = history[index + 1]
    if (!below || id === below.id || parent === below.id) continue
    throw invalid(`history[${index}].v1Compatibility.parent: expected ${below.id}, the id of the next one`)
  }
}

function textIn(body: JsonObject, field: 'name' | 'tag' | 'architecture'): string {
  const text = body[field] ?? ''
  if (typeof text === 'string') return text
  throw invalid(`${field}: expected a text`)
}

function invalid(message: string): RegistryError {
  return new RegistryError('MANIFEST_INVALID', { message })
}

/** Unsigned, in the form that docker's own registry gives it. */
export function writeSchema1({ name, tag, architecture, layers }: Schema1): Uint8Array {
  const fsLayers = layers.map(({ blobSum }) => item('blobSum', blobSum))
  const history = layers.map(({ v1Compatibility }) => item('v1Compatibility', v1Compatibility))
  const lines = [
    '"schemaVersion": 1',
    `"name": ${quoted(name)}`,
    `"tag": ${quoted(tag)}`,
    `"architecture": ${quoted(architecture)}`,
    `"fsLayers": [\n${fsLayers.join(',\n')}\n   ]`,
    `"history": [\n${history.join(',\n')}\n   ]`,
  ]
  return Buffer.from(`{\n${lines.map((line) => `   ${line}`).join(',\n')}\n}`)
}

function item(key: string, value: string): string {
  return `      {\n         "${key}": ${quoted(value)}\n      }`
}
