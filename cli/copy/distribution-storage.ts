import { algorithmOf, encodedOf, isDigest, type Digest } from '../../registry/domain/digest.ts'
import { isObject, parseJson } from '../../registry/domain/json.ts'
import { isImageName, isTag, parseTag, type ImageName, type Tag } from '../../registry/domain/names.ts'
import { readFileOf, readTextOf, type Files } from './files.ts'
import type { Source } from './source.ts'
import { maxManifestBytes, storedManifest } from './stored-manifest.ts'

const top = 'docker/registry/v2'
const maxLinkBytes = 1024
/** No name of an image has more parts than half its characters. */
const maxDepth = 128

/** The file system storage of distribution, Docker's registry of today: whatever names something there is a file with its digest. */
export function distributionStorage(files: Files): Source {
  const link = async (path: string): Promise<Digest | undefined> => {
    const text = await readTextOf(files, `${path}/link`, maxLinkBytes)
    if (text === undefined) return undefined
    // Anything else would be part of a path.
    if (isDigest(text)) return text
    throw new Error(`${files.name}: ${path}/link has no digest`)
  }
  const of = (image: ImageName) => `${top}/repositories/${image}`
  const revisions = (image: ImageName) => `${of(image)}/_manifests/revisions`
  const tagDigest = (image: ImageName, tag: Tag) => link(`${of(image)}/_manifests/tags/${tag}/current`)
  const bytesOf = (digest: Digest) => readFileOf(files, blobPath(digest), maxManifestBytes)

  return {
    name: files.name,
    images: async () => {
      if ((await files.list(`${top}/repositories`)) === undefined)
        throw new Error(`${files.name} is no storage of distribution: it has no ${top}/repositories`)
      const images: ImageName[] = []
      for await (const image of imagesBelow(files, `${top}/repositories`, '', 0)) images.push(image)
      return images.sort()
    },
    tags: async (image) => {
      const names = await files.list(`${of(image)}/_manifests/tags`)
      return names?.filter(isTag)
    },
    digest: async (image, reference) =>
      'digest' in reference ? reference.digest : await tagDigest(image, reference.tag),
    async manifest(image, reference) {
      const digest = 'digest' in reference ? reference.digest : await tagDigest(image, reference.tag)
      if (digest === undefined) return undefined
      const revision = await link(`${revisions(image)}/${algorithmOf(digest)}/${encodedOf(digest)}`)
      const bytes = revision === digest ? await bytesOf(digest) : undefined
      return bytes && storedManifest(digest, bytes)
    },
    async blob(_image, digest) {
      const file = await files.find(blobPath(digest))
      return file && { size: file.size, bytes: await file.open() }
    },
    async referrers(image, subject) {
      const tag = parseTag(`${algorithmOf(subject)}-${encodedOf(subject)}`)
      const digest = await tagDigest(image, tag)
      return digestsIn(digest && (await bytesOf(digest)))
    },
    [Symbol.asyncDispose]: () => files[Symbol.asyncDispose](),
  }
}

function blobPath(digest: Digest): string {
  const encoded = encodedOf(digest)
  return `${top}/blobs/${algorithmOf(digest)}/${encoded.slice(0, 2)}/${encoded}/data`
}

/** Names are directories; what belongs to an image begins with an underscore, as no part of a name does. */
async function* imagesBelow(files: Files, root: string, name: string, depth: number): AsyncGenerator<ImageName> {
  if (depth > maxDepth) return
  const names = (await files.list(name === '' ? root : `${root}/${name}`)) ?? []
  if (names.includes('_manifests') && isImageName(name)) yield name
  for (const child of names.filter((child) => isImageName(child)))
    yield* imagesBelow(files, root, name === '' ? child : `${name}/${child}`, depth + 1)
}

/** Of an index; nothing for anything else. */
function digestsIn(bytes: Uint8Array | undefined): readonly Digest[] {
  const parsed = bytes && parseJson(bytes)
  const list = parsed && 'value' in parsed && isObject(parsed.value) ? parsed.value.manifests : undefined
  const entries = Array.isArray(list) ? (list as readonly unknown[]) : []
  return entries.flatMap((entry) =>
    isObject(entry) && typeof entry.digest === 'string' && isDigest(entry.digest) ? [entry.digest] : [],
  )
}
