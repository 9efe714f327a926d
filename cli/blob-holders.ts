import type { Digest } from '../registry/domain/digest.ts'
import type { ImageRef } from '../registry/domain/names.ts'
import type { BlobHolder } from '../registry/storage/integrity.ts'

interface HeldBlob {
  readonly digest: Digest
  readonly holders: readonly BlobHolder[]
}

/** A line for each blob, and below it one for each manifest that cannot be pulled without it. */
export function describeLost(blobs: readonly HeldBlob[], what: string): readonly string[] {
  return blobs.flatMap(({ digest, holders }) => [`blob ${digest}: ${what}`, ...describeHolders(holders)])
}

export function describeHolders(holders: readonly BlobHolder[]): readonly string[] {
  const hit = holders.flatMap(describeHolder)
  return (hit.length > 0 ? hit : ['no image has it']).map((line) => `  ${line}`)
}

function describeHolder({ of, manifests }: BlobHolder): readonly string[] {
  const image = `${of.repository}/${of.image}`
  if (manifests.length === 0) return [`${image}, where no manifest names it`]
  return manifests.map(({ digest, tags }) =>
    tags.length === 0 ? `${image}@${digest}` : `${image}@${digest}, tagged ${tags.join(', ')}`,
  )
}

export function describeWrongManifest({ of, digest }: { readonly of: ImageRef; readonly digest: Digest }): string {
  return `manifest ${of.repository}/${of.image}@${digest}: wrong bytes; pushing it again puts it right`
}
