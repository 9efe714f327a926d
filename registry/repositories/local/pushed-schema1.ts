import { payloadOf } from '../../domain/manifest-digest.ts'
import type { Manifest } from '../../domain/manifest.ts'
import { signedSchema1 } from '../../domain/schema1/media-types.ts'
import { parseSchema1 } from '../../domain/schema1/schema1.ts'
import { verifySchema1 } from '../../domain/schema1/signatures.ts'

/** Whether docker would take it from us again. Throws MANIFEST_UNVERIFIED, MANIFEST_INVALID. */
export function checkSchema1({ mediaType, bytes }: Manifest): void {
  if (mediaType === signedSchema1) verifySchema1(bytes)
  parseSchema1(payloadOf(mediaType, bytes))
}
