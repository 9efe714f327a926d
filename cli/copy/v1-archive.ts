import { isObject, parseJson } from '../../registry/domain/json.ts'
import { isImageName, isTag, type ImageName, type Tag } from '../../registry/domain/names.ts'
import { isV1ImageId, type V1ImageId } from '../../registry/domain/v1-image.ts'
import { readFileOf, type Files } from './files.ts'
import { withoutRegistry } from './image-tag.ts'
import type { V1Images } from './v1-images.ts'

const maxJsonBytes = 4 * 1024 * 1024

/** What `docker save` wrote before docker 1.10: a directory for each image, and `repositories` with the names. */
export async function v1Archive(files: Files): Promise<V1Images> {
  const names = await readFileOf(files, 'repositories', maxJsonBytes)
  if (!names)
    throw new Error(`${files.name} is no archive of docker save: it has neither manifest.json nor repositories`)
  const { images, problems } = namesIn(names, files.name)
  return {
    name: files.name,
    problems,
    images: async () => [...images.keys()],
    tags: async (image) => images.get(image),
    json: async (_image, id) => await readFileOf(files, `${id}/json`, maxJsonBytes),
    layer: async (_image, id) => (await files.find(`${id}/layer.tar`))?.open(),
    checksums: async () => [],
    [Symbol.asyncDispose]: () => files[Symbol.asyncDispose](),
  }
}

/** `{"<name>":{"<tag>":"<id>"}}` */
function namesIn(bytes: Uint8Array, name: string) {
  const parsed = parseJson(bytes)
  if (!('value' in parsed) || !isObject(parsed.value)) throw new Error(`${name}: its repositories file names no images`)
  const images = new Map<ImageName, Map<Tag, V1ImageId>>()
  const problems: { of: string; problem: string }[] = []
  for (const [said, tags] of Object.entries(parsed.value))
    for (const [tag, id] of Object.entries(isObject(tags) ? tags : {})) {
      const image = withoutRegistry(said)
      if (!isImageName(image) || !isTag(tag) || typeof id !== 'string' || !isV1ImageId(id))
        problems.push({ of: `${said}:${tag}`, problem: 'no registry takes such a name, or it has no id of an image' })
      else images.set(image, (images.get(image) ?? new Map<Tag, V1ImageId>()).set(tag, id))
    }
  return { images, problems }
}
