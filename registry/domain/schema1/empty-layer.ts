import { parseDigest } from '../digest.ts'

/** A tar without entries as docker compresses it: every layer that schema 1 has for a step that changed no files. */
export const emptyLayer: Uint8Array = Buffer.from(
  '1f8b080000096e8800ff621805a360148c5800080000ffff2eafb5ef00040000',
  'hex',
)

export const emptyLayerDigest = parseDigest('sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4')
