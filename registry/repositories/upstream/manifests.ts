import { algorithmOf, isDigest, type Digest } from '../../domain/digest.ts'
import { isObject, parseJson, type JsonObject } from '../../domain/json.ts'
import { digestOfManifest } from '../../domain/manifest-digest.ts'
import { imageTypes, indexTypes, isVague, mediaTypeIn } from '../../domain/manifest-media-type.ts'
import type { Manifest } from '../../domain/manifest.ts'
import type { Reference } from '../../domain/names.ts'
import { signedSchema1, unsignedSchema1 } from '../../domain/schema1/media-types.ts'
import { wrong } from './failures.ts'
import { named, type Question, type Requests } from './requests.ts'
import type { ManifestHead } from './upstream.ts'
import type { WireAnswer } from './wire-answer.ts'

/** Registries convert what a client does not say it understands; this one wants all as it is. */
const accept = [...indexTypes.toReversed(), ...imageTypes.toReversed(), signedSchema1, unsignedSchema1].join(', ')

/** `known`: what it is taken for; an upstream that knows of entity tags says by 304 that it still is. */
export async function headManifest(
  requests: Requests,
  { url, scope, known }: { readonly url: URL; readonly scope: string; readonly known: Digest | undefined },
): Promise<ManifestHead | undefined> {
  const headers = { accept, ...(known !== undefined && { 'if-none-match': `"${known}"` }) }
  const question = { method: 'HEAD', url, headers, meant: [304, 405], meantElsewhere: [304] } as const
  const answer = await requests.ask(question, scope)
  await answer.discard()
  if (answer.status === 404) return undefined
  return { digest: answer.status === 304 ? known : announcedDigest(answer) }
}

export async function getManifest(
  requests: Requests,
  { url, scope, reference, maxBytes }: ManifestQuestion,
): Promise<Manifest | undefined> {
  const question: Question = { method: 'GET', url, headers: { accept } }
  const answer = await requests.ask(question, scope)
  if (answer.status !== 200) await answer.discard()
  if (answer.status === 404) return undefined
  if (answer.status !== 200) throw wrong(`${named(question)} is answered with ${answer.status}`)
  const bytes = await requests.read(answer, maxBytes)
  const mediaType = mediaTypeOf(answer, jsonOf(bytes, named(question)), named(question))
  const expected = 'digest' in reference ? reference.digest : announcedDigest(answer)
  const digest = digestOfManifest(mediaType, bytes, expected ? algorithmOf(expected) : 'sha256')
  if (expected === undefined || digest === expected) return { digest, mediaType, bytes }
  throw wrong(`${named(question)} is answered with a manifest that is ${digest}, not ${expected}`)
}

interface ManifestQuestion {
  readonly url: URL
  readonly scope: string
  readonly reference: Reference
  readonly maxBytes: number
}

function announcedDigest(answer: WireAnswer): Digest | undefined {
  const header = answer.header('docker-content-digest')
  return header !== undefined && isDigest(header) ? header : undefined
}

function jsonOf(bytes: Uint8Array, what: string): JsonObject {
  const parsed = parseJson(bytes)
  if ('value' in parsed && isObject(parsed.value)) return parsed.value
  throw wrong(`${what} is answered with no manifest: ${'problem' in parsed ? parsed.problem : 'expected an object'}`)
}

/** As the answer says; where that says nothing, as the manifest itself does or looks. */
function mediaTypeOf(answer: WireAnswer, body: JsonObject, what: string): string {
  const { mediaType } = answer
  const found = mediaType === undefined || isVague(mediaType) ? mediaTypeIn(body) : mediaType
  if (found !== undefined) return found
  throw wrong(`${what} is answered with JSON that is no manifest`)
}
