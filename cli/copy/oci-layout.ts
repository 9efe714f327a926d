import { algorithmOf, encodedOf, type Digest } from '../../registry/domain/digest.ts'
import { readDescriptor } from '../../registry/domain/descriptor.ts'
import { isObject, parseJson, type JsonObject } from '../../registry/domain/json.ts'
import { parseManifest, type Manifest } from '../../registry/domain/manifest.ts'
import { parseTag, type ImageName, type Tag } from '../../registry/domain/names.ts'
import { readFileOf, type Files } from './files.ts'
import { parseImageTag, type ImageTag } from './image-tag.ts'
import type { Source } from './source.ts'
import { maxManifestBytes, storedManifest } from './stored-manifest.ts'

interface Entry {
  readonly digest: Digest
  readonly name: ImageTag | undefined
}

const latest = parseTag('latest')

/**
 * OCI image 1.1, "Image Layout". `unnamed`: the image of what has a tag and no name there, as skopeo writes it. Rejects when the
 * directory or archive is none.
 */
export async function ociLayout(files: Files, unnamed: ImageName | undefined): Promise<Source> {
  const index = await readFileOf(files, 'index.json', maxManifestBytes)
  if (!index) throw new Error(`${files.name} is no OCI image layout: it has no index.json`)
  const manifestAt = async (digest: Digest): Promise<Manifest | undefined> => {
    const bytes = await readFileOf(files, blobPath(digest), maxManifestBytes)
    return bytes && storedManifest(digest, bytes)
  }
  const entries = entriesOf(index, files.name, unnamed)
  const subjects = await subjectsOf(entries, manifestAt)
  const tagged = entries.flatMap(({ digest, name }) => (name ? [{ digest, ...name }] : []))
  const nameless = entries.filter(({ digest, name }) => !name && !subjects.has(digest))
  // skopeo writes an image that was given no tag without any.
  const [only] = nameless
  const isWhole = tagged.length === 0 && nameless.length === 1 && only !== undefined && unnamed !== undefined
  const all = isWhole ? [{ digest: only.digest, image: unnamed, tag: latest }] : tagged
  const find = (image: ImageName, tag: Tag) => all.find((one) => one.image === image && one.tag === tag)?.digest

  return {
    name: files.name,
    unnamed,
    problems: isWhole ? [] : nameless.map(({ digest }) => ({ of: digest, problem: whyNameless(unnamed) })),
    images: async () => [...new Set(all.map(({ image }) => image))],
    tags: async (image) => all.filter((one) => one.image === image).map(({ tag }) => tag),
    digest: async (image, reference) => ('digest' in reference ? reference.digest : find(image, reference.tag)),
    async manifest(image, reference) {
      const digest = 'digest' in reference ? reference.digest : find(image, reference.tag)
      return digest && (await manifestAt(digest))
    },
    async blob(_image, digest) {
      const file = await files.find(blobPath(digest))
      return file && { size: file.size, bytes: await file.open() }
    },
    referrers: async (_image, subject) =>
      [...subjects].filter(([, about]) => about === subject).map(([digest]) => digest),
    [Symbol.asyncDispose]: () => files[Symbol.asyncDispose](),
  }
}

function whyNameless(unnamed: ImageName | undefined): string {
  return unnamed === undefined
    ? 'the layout does not say what it is called: name the image in the target'
    : 'the layout does not say what it is called, and it is not alone'
}

function entriesOf(index: Uint8Array, name: string, unnamed: ImageName | undefined): readonly Entry[] {
  const parsed = parseJson(index)
  const body = 'value' in parsed && isObject(parsed.value) ? parsed.value : {}
  if (!Array.isArray(body.manifests)) throw new Error(`${name}: its index.json lists no manifests`)
  return (body.manifests as readonly unknown[]).flatMap((entry) => {
    const found = readDescriptor(entry)
    if (!('digest' in found) || !isObject(entry)) return []
    const annotations = isObject(entry.annotations) ? entry.annotations : {}
    return [{ digest: found.digest, name: nameIn(annotations, unnamed) }]
  })
}

/** containerd and docker write the whole name, others no more than the tag. */
function nameIn(annotations: JsonObject, unnamed: ImageName | undefined): ImageTag | undefined {
  const whole = annotations['io.containerd.image.name']
  const reference = annotations['org.opencontainers.image.ref.name']
  const texts = [whole, reference].filter((text) => typeof text === 'string')
  return texts.map((text) => parseImageTag(text, unnamed)).find((name) => name !== undefined)
}

/** By the digest of what refers to it. */
async function subjectsOf(
  entries: readonly Entry[],
  manifestAt: (digest: Digest) => Promise<Manifest | undefined>,
): Promise<ReadonlyMap<Digest, Digest>> {
  const subjects = new Map<Digest, Digest>()
  for (const { digest, name } of entries) {
    if (name) continue
    const manifest = await manifestAt(digest)
    const subject = manifest && parseManifest(manifest.mediaType, manifest.bytes).subject
    if (subject !== undefined) subjects.set(digest, subject)
  }
  return subjects
}

function blobPath(digest: Digest): string {
  return `blobs/${algorithmOf(digest)}/${encodedOf(digest)}`
}
