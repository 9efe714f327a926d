import { isObject, parseJson, type JsonObject } from '../json.ts'

export interface SignedPart {
  /** How much of the text was signed. */
  readonly length: number
  /** All that was signed: that, and its end. */
  readonly payload: Uint8Array
}

/**
 * libtrust's form: each signature says how much of the text was signed, and what came after that in place of the signatures. Undefined
 * when they say nothing usable.
 */
export function signedPart(bytes: Uint8Array): SignedPart | undefined {
  const forms = signaturesIn(bytes)?.map((signature) => formOf(signature, bytes.length))
  const [first] = forms ?? []
  if (!first || forms?.some((form) => form?.length !== first.length || form.tail !== first.tail)) return undefined
  const { length, tail } = first
  return { length, payload: Buffer.concat([bytes.subarray(0, length), Buffer.from(tail, 'base64url')]) }
}

/** Undefined for a text that has no such list. */
export function signaturesIn(bytes: Uint8Array): readonly JsonObject[] | undefined {
  const parsed = parseJson(bytes)
  const signatures = 'value' in parsed && isObject(parsed.value) ? parsed.value.signatures : undefined
  return Array.isArray(signatures) ? signatures.map((one: unknown) => (isObject(one) ? one : {})) : undefined
}

interface Form {
  readonly length: number
  readonly tail: string
}

function formOf(signature: JsonObject, size: number): Form | undefined {
  if (typeof signature.protected !== 'string') return undefined
  const parsed = parseJson(Buffer.from(signature.protected, 'base64url'))
  if (!('value' in parsed) || !isObject(parsed.value)) return undefined
  const { formatLength: length, formatTail: tail } = parsed.value
  if (!Number.isSafeInteger(length) || Number(length) < 0 || Number(length) > size) return undefined
  return typeof tail === 'string' ? { length: Number(length), tail } : undefined
}
