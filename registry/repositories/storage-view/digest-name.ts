import { isDigest, type Digest } from '../../domain/digest.ts'

/** What blobs and manifests are called by their digest: Artifactory has no colon in the names of blobs. */
export function nameOfDigest(digest: Digest): string {
  return digest.replace(':', '__')
}

/** Also with the colon that Artifactory has in the names of folders. */
export function digestOfName(name: string): Digest | undefined {
  const digest = name.replace('__', ':')
  return isDigest(digest) ? digest : undefined
}

/** Where in the order of digests their names come after this one; undefined when none does. */
export function digestsAfter(name: string | undefined): { readonly from: Digest | undefined } | undefined {
  const from = name === undefined ? undefined : digestOfName(name)
  return name !== undefined && name > 'sha512__~' ? undefined : { from }
}
