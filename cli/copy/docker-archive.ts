import { hash } from 'node:crypto'
import { posix } from 'node:path'
import { Readable } from 'node:stream'
import { digestOf, type Digest } from '../../registry/domain/digest.ts'
import { isObject, parseJson } from '../../registry/domain/json.ts'
import type { Manifest } from '../../registry/domain/manifest.ts'
import type { ImageName, Tag } from '../../registry/domain/names.ts'
import { dockerManifest } from '../../registry/domain/rebuilt-manifest.ts'
import { readFileOf, type Files } from './files.ts'
import { parseImageTag } from './image-tag.ts'
import type { PackedLayers } from './packed-layers.ts'
import type { Source } from './source.ts'

const maxJsonBytes = 8 * 1024 * 1024

interface Saved {
  readonly config: string
  readonly layers: readonly string[]
}

/** What `docker save` writes from docker 1.10 on; undefined when it is an archive without a manifest.json. */
export async function dockerArchive(
  files: Files,
  layers: PackedLayers,
  unnamed: ImageName | undefined,
): Promise<Source | undefined> {
  const bytes = await readFileOf(files, 'manifest.json', maxJsonBytes)
  if (!bytes) return undefined
  const { images, problems } = imagesIn(bytes, files.name, unnamed)
  const configs = new Map<Digest, Uint8Array>()

  const manifestOf = async ({ config: file, layers: paths }: Saved): Promise<Manifest> => {
    const config = await readFileOf(files, file, maxJsonBytes)
    if (!config) throw new Error(`the archive has no ${file}`)
    const diffIds = diffIdsIn(config)
    const packed = []
    for (const [index, path] of paths.entries()) {
      const layer = await layers.pack({
        key: `${files.name} ${path} ${diffIds[index] ?? ''}`,
        open: () => openAt(files, path),
      })
      if (layer.diffId !== diffIds[index])
        throw new Error(
          `the archive's layer ${path} is corrupt: it is ${layer.diffId}, not ${diffIds[index] ?? 'in the config'}`,
        )
      packed.push({ ...layer, compression: 'gzip' } as const)
    }
    const digest = digestOf('sha256', hash('sha256', config, 'hex'))
    configs.set(digest, config)
    const manifest = dockerManifest({ config: { digest, size: config.length }, layers: packed })
    return { ...manifest, digest: digestOf('sha256', hash('sha256', manifest.bytes, 'hex')) }
  }

  return {
    name: files.name,
    unnamed,
    problems,
    images: async () => [...images.keys()],
    tags: async (image) => [...(images.get(image)?.keys() ?? [])],
    // To know it is to compress all layers.
    digest: async () => undefined,
    async manifest(image, reference) {
      const saved = 'tag' in reference ? images.get(image)?.get(reference.tag) : undefined
      return saved && (await manifestOf(saved))
    },
    async blob(_image, digest) {
      const config = configs.get(digest)
      return config ? { size: config.length, bytes: Readable.from([config]) } : await layers.open(digest)
    },
    referrers: async () => [],
    async [Symbol.asyncDispose]() {
      await layers[Symbol.asyncDispose]()
      await files[Symbol.asyncDispose]()
    },
  }
}

async function openAt(files: Files, path: string): Promise<Readable> {
  const file = await files.find(posix.normalize(path))
  if (file) return await file.open()
  throw new Error(`the archive has no ${path}`)
}

/** `[{"Config":"<hex>.json","RepoTags":["name:tag"],"Layers":["<id>/layer.tar"]}]` */
function imagesIn(bytes: Uint8Array, name: string, unnamed: ImageName | undefined) {
  const parsed = parseJson(bytes)
  const list = 'value' in parsed && Array.isArray(parsed.value) ? (parsed.value as readonly unknown[]) : undefined
  if (!list) throw new Error(`${name}: its manifest.json lists no images`)
  const images = new Map<ImageName, Map<Tag, Saved>>()
  const problems: { of: string; problem: string }[] = []
  for (const entry of list.filter(isObject)) {
    const saved = { config: typeof entry.Config === 'string' ? entry.Config : '', layers: textsIn(entry.Layers) }
    const names = textsIn(entry.RepoTags)
    // Saved by its id it has no name.
    const all = names.length === 0 && list.length === 1 && unnamed !== undefined ? ['latest'] : names
    if (all.length === 0)
      problems.push({ of: saved.config, problem: 'it was saved without a name: save it by its name' })
    for (const text of all) {
      const found = parseImageTag(text, unnamed)
      if (!found) problems.push({ of: text, problem: 'no registry takes such a name' })
      else images.set(found.image, (images.get(found.image) ?? new Map<Tag, Saved>()).set(found.tag, saved))
    }
  }
  return { images, problems }
}

function textsIn(list: unknown): readonly string[] {
  return Array.isArray(list) ? list.filter((one) => typeof one === 'string') : []
}

function diffIdsIn(config: Uint8Array): readonly string[] {
  const parsed = parseJson(config)
  const rootfs = 'value' in parsed && isObject(parsed.value) ? parsed.value.rootfs : undefined
  return textsIn(isObject(rootfs) ? rootfs.diff_ids : undefined)
}
