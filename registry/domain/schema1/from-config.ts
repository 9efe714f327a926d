import { hash } from 'node:crypto'
import { encodedOf, type Digest } from '../digest.ts'
import { isObject, parseJson, type JsonObject } from '../json.ts'
import { quoted, rawMembers, sortedObject } from '../raw-json.ts'
import { emptyLayerDigest } from './empty-layer.ts'
import { goTime } from './go-time.ts'
import { writeSchema1, type Schema1Layer } from './schema1.ts'

/** An image of today, and what it is to be called. */
export interface Convertible {
  readonly name: string
  readonly tag: string
  readonly config: Uint8Array
  /** Compressed, as they are kept; the base first. */
  readonly layers: readonly Digest[]
}

/** Or why there is none. */
export type Converted = { readonly payload: Uint8Array } | { readonly problem: string }

/**
 * The unsigned manifest of schema 1 that docker's own registry makes for clients that know no other, to the character, so that they all
 * have the same digests and ids.
 */
export function schema1FromConfig({ name, tag, config, layers }: Convertible): Converted {
  const body = parseJson(config)
  if (!('value' in body) || !isObject(body.value)) return { problem: 'its configuration is no JSON object' }
  const { architecture = '' } = body.value
  if (typeof architecture !== 'string') return { problem: 'its configuration has an architecture that is no text' }
  const history = historyIn(body.value)
  if ('problem' in history) return history
  const diffIds = isObject(body.value.rootfs) ? body.value.rootfs.diff_ids : undefined
  const filled = history.steps.filter(({ isEmpty }) => !isEmpty).length
  const listed = Array.isArray(diffIds) ? diffIds.length : 0
  if (listed !== layers.length || filled !== layers.length)
    return { problem: `it has ${layers.length} layers, its configuration ${listed}, and its history ${filled}` }
  const text = new TextDecoder().decode(config)
  const chain = chainOf(history.steps, layers, { text, members: rawMembers(text) })
  return { payload: writeSchema1({ name, tag, architecture, layers: chain.toReversed() }) }
}

interface Step {
  readonly created: string
  readonly createdBy: string
  readonly author: string
  readonly comment: string
  readonly isEmpty: boolean
}

function historyIn({ history }: JsonObject): { readonly steps: readonly Step[] } | { readonly problem: string } {
  if (!Array.isArray(history) || history.length === 0) return { problem: 'its configuration has no history' }
  const steps = history.map((entry: unknown) => (isObject(entry) ? stepOf(entry) : undefined))
  const known = steps.filter((step) => step !== undefined)
  return known.length === steps.length ? { steps: known } : { problem: 'its history is none that docker writes' }
}

/** Undefined when something has another type than docker gives it. */
function stepOf(entry: JsonObject): Step | undefined {
  const [createdBy, author, comment] = [entry.created_by ?? '', entry.author ?? '', entry.comment ?? '']
  if (typeof createdBy !== 'string' || typeof author !== 'string' || typeof comment !== 'string') return undefined
  const isEmpty = entry.empty_layer ?? false
  const created = goTime(entry.created)
  if (typeof isEmpty !== 'boolean' || created === undefined) return undefined
  return { created, createdBy, author, comment, isEmpty }
}

interface Config {
  readonly text: string
  readonly members: ReadonlyMap<string, string>
}

/** The base first. Their ids follow from the layers, and that of the last one from the whole configuration too. */
function chainOf(steps: readonly Step[], layers: readonly Digest[], config: Config): readonly Schema1Layer[] {
  const rest = layers.values()
  const chain: Schema1Layer[] = []
  let parent = ''
  for (const [index, step] of steps.entries()) {
    const blobSum = step.isEmpty ? emptyLayerDigest : (rest.next().value ?? emptyLayerDigest)
    const isTop = index === steps.length - 1
    const id = hash('sha256', `${encodedOf(blobSum)} ${parent}${isTop ? ` ${config.text}` : ''}`)
    const link = { id, parent, isEmpty: step.isEmpty }
    chain.push({ blobSum, v1Compatibility: isTop ? topOf(config.members, link) : stepText(step, link) })
    parent = id
  }
  return chain
}

interface Link {
  readonly id: string
  /** Empty for the base. */
  readonly parent: string
  readonly isEmpty: boolean
}

/** Nobody can run it: it is there to be the parent of the next one. */
function stepText({ created, createdBy, author, comment }: Step, { id, parent, isEmpty }: Link): string {
  const members = [
    `"id":"${id}"`,
    ...(parent === '' ? [] : [`"parent":"${parent}"`]),
    ...(comment === '' ? [] : [`"comment":${quoted(comment)}`]),
    `"created":"${created}"`,
    `"container_config":{"Cmd":[${quoted(createdBy)}]}`,
    ...(author === '' ? [] : [`"author":${quoted(author)}`]),
    ...(isEmpty ? ['"throwaway":true'] : []),
  ]
  return `{${members.join(',')}}`
}

function topOf(config: ReadonlyMap<string, string>, { id, parent, isEmpty }: Link): string {
  const members = new Map(config)
  members.delete('rootfs')
  members.delete('history')
  members.set('id', `"${id}"`)
  if (parent !== '') members.set('parent', `"${parent}"`)
  if (isEmpty) members.set('throwaway', 'true')
  return sortedObject(members)
}
