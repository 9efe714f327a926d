import { isImageName, isTag, type ImageName, type Tag } from '../../registry/domain/names.ts'
import { isV1ImageId, type V1ImageId } from '../../registry/domain/v1-image.ts'
import { readFileOf, readTextOf, type Files } from './files.ts'
import type { V1Images } from './v1-images.ts'

const maxTextBytes = 64 * 1024
const maxJsonBytes = 4 * 1024 * 1024
const tagFile = /^tag_(.+)$/

/** The storage of docker-registry, the V1 registry in Python: `images/<id>/…` and `repositories/<namespace>/<name>/tag_<tag>`. */
export function v1Storage(files: Files): V1Images {
  const problems: { of: string; problem: string }[] = []
  const of = (image: ImageName) => `repositories/${image.includes('/') ? image : `library/${image}`}`
  return {
    name: files.name,
    problems,
    async images() {
      const namespaces = await files.list('repositories')
      if (!namespaces)
        throw new Error(`${files.name} is no storage of docker-registry: it has no directory repositories`)
      const images: ImageName[] = []
      for (const namespace of namespaces)
        for (const name of (await files.list(`repositories/${namespace}`)) ?? []) {
          const image = `${namespace}/${name}`
          if (isImageName(image)) images.push(image)
          else problems.push({ of: image, problem: 'no registry of today takes such a name' })
        }
      return images
    },
    async tags(image) {
      const names = await files.list(of(image))
      if (!names) return undefined
      const tags = new Map<Tag, V1ImageId>()
      for (const tag of names.map((name) => tagFile.exec(name)?.[1] ?? '').filter(isTag)) {
        const id = await readTextOf(files, `${of(image)}/tag_${tag}`, maxTextBytes)
        // Anything else would be part of a path.
        if (id !== undefined && isV1ImageId(id)) tags.set(tag, id)
        else problems.push({ of: `${image}:${tag}`, problem: 'its file has no id of an image' })
      }
      return tags
    },
    async json(_image, id) {
      if (await files.find(`images/${id}/_inprogress`)) throw new Error(`the image ${id} was never pushed to its end`)
      return await readFileOf(files, `images/${id}/json`, maxJsonBytes)
    },
    layer: async (_image, id) => (await files.find(`images/${id}/layer`))?.open(),
    checksums: async (_image, id) => checksumsIn(await readTextOf(files, `images/${id}/_checksum`, maxTextBytes)),
    [Symbol.asyncDispose]: () => files[Symbol.asyncDispose](),
  }
}

/** A list of them; at first there was one alone, as it is. */
export function checksumsIn(text = ''): readonly string[] {
  if (!text.startsWith('[')) return text === '' ? [] : [text]
  const list: unknown = JSON.parse(text)
  return Array.isArray(list) ? list.filter((one) => typeof one === 'string') : []
}
