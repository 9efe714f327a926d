import type { Step } from './steps.ts'
import { images } from './traffic.ts'
import { v1ChildOf } from './v1-images.ts'
import type { V1Traffic } from './v1-traffic.ts'

/** What a client of the V1 API can do. */
export const v1Steps: readonly Step[] = [
  step('announce V1 images', async (v1) => {
    const [name, image] = [v1.name(), v1.image()]
    return () => v1.announce(name, image)
  }),
  step('push the JSON of a V1 image', async (v1) => {
    const [name, image] = [v1.name(), v1.image()]
    await v1.prepare(name, image)
    return () => v1.putJson(name, image)
  }),
  step('push the layer of a V1 image', async (v1) => {
    const [name, image] = [v1.name(), v1.newImage()]
    await v1.prepare(name, image)
    await v1.putJson(name, image)
    return () => v1.putLayer(name, image)
  }),
  step('push the layer of a V1 image once more', async (v1) => {
    const [name, image] = [v1.name(), v1.newImage()]
    await v1.prepare(name, image)
    await v1.putJson(name, image)
    await v1.putLayer(name, image)
    return async () => {
      await v1.putJson(name, image)
      await v1.putLayer(name, image)
    }
  }),
  step('push the checksum of a V1 image', async (v1) => {
    const [name, image] = [v1.name(), v1.newImage()]
    await v1.prepare(name, image)
    await v1.putJson(name, image)
    await v1.putLayer(name, image)
    return () => v1.putChecksum(name, image)
  }),
  step('tag a V1 image', async (v1) => {
    const [name, tag, image] = [v1.name(), v1.tag(), v1.image()]
    await v1.complete(name, image)
    return () => v1.putTag(name, tag, image)
  }),
  step('end a push of V1 images', async (v1) => {
    const [name, image] = [v1.name(), v1.image()]
    await v1.complete(name, image)
    return () => v1.endPush(name)
  }),
  step('push V1 images', async (v1) => {
    const [name, tag, image] = [v1.name(), v1.tag(), v1.newImage()]
    return () => v1.push(name, tag, image)
  }),
  step('push V1 images that another image name has', async (v1) => {
    const image = v1.newImage()
    await v1.push(images[0], v1.tag(), image)
    return () => v1.push(images[1], v1.tag(), image)
  }),
  step('build on V1 images that another image name has', async (v1) => {
    const image = v1.newImage()
    await v1.push(images[0], v1.tag(), image)
    const child = v1.know(v1ChildOf(image))
    return () => v1.push(images[2], v1.tag(), child)
  }),
  step('delete a V1 tag', async (v1) => {
    const name = v1.name()
    const tag = v1.pick(v1.journal.tagsOf(name))
    return tag === undefined ? undefined : () => v1.deleteTag(name, tag)
  }),
  step('delete V1 images', async (v1) => {
    const name = v1.name()
    await v1.push(name, 'latest', v1.image())
    return () => v1.deleteName(name)
  }),
  {
    name: 'collect garbage of V1 images',
    prepare: async ({ v1, traffic }) => {
      const name = v1.name()
      await v1.push(name, 'short-lived', v1.newImage())
      await v1.deleteTag(name, 'short-lived')
      await v1.prepare(name, v1.newImage())
      return async () => {
        // An image lets go of its parent and of its layer.
        for (let round = 0; round < 3; round++) await traffic.collectGarbage()
      }
    },
  },
]

function step(name: string, prepare: (v1: V1Traffic) => ReturnType<Step['prepare']>): Step {
  return { name, prepare: ({ v1 }) => prepare(v1) }
}
