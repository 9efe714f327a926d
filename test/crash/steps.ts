import { digestOfBytes } from '../helpers/tiny-image.ts'
import type { Clients } from './clients.ts'
import { pullSteps } from './pull-steps.ts'
import { images, tags, type Traffic } from './traffic.ts'
import { v1Steps } from './v1-steps.ts'

/** A step of a client. `undefined`: there is nothing yet that it could be done to. */
export type Act = () => Promise<void>
export interface Step {
  readonly name: string
  /** What must be there before; it is not part of the step. */
  readonly prepare: (clients: Clients) => Promise<Act | undefined>
}

/** Everything that a client can do to repositories, and what an admin can. */
export const steps: readonly Step[] = [
  step('push a blob', async (traffic) => {
    const [image, bytes] = [traffic.image(), traffic.layer()]
    return async () => void (await traffic.pushBlob(image, bytes))
  }),
  step('push a blob in chunks', async (traffic) => {
    const [image, bytes] = [traffic.image(), traffic.layer()]
    return () => traffic.pushBlobInChunks(image, bytes)
  }),
  step('start an upload', async (traffic) => {
    const [image, bytes] = [traffic.image(), traffic.layer()]
    return async () => void (await traffic.startUpload(image, bytes))
  }),
  step('go on with an upload', async (traffic) => {
    const upload = await traffic.startUpload(traffic.image(), traffic.layer())
    return () => traffic.goOn(upload)
  }),
  step('cancel an upload', async (traffic) => {
    const upload = await traffic.startUpload(traffic.image(), traffic.layer())
    return () => traffic.cancel(upload)
  }),
  step('put a manifest', async (traffic) => {
    const [image, tag] = [traffic.image(), traffic.tag()]
    const manifest = await traffic.madeImage(image)
    return () => traffic.put(image, manifest, tag)
  }),
  step('put a manifest with two tags', async (traffic) => {
    const image = traffic.image()
    const manifest = await traffic.madeImage(image)
    return () => traffic.put(image, manifest, tags[0], tags[1])
  }),
  step('put a referrer', async (traffic) => {
    const image = traffic.image()
    const subject = traffic.pick(traffic.journal.manifestsOf(image))
    const manifest = await traffic.madeImage(image, subject)
    return () => traffic.put(image, manifest)
  }),
  step('put an index', async (traffic) => {
    const [image, tag] = [traffic.image(), traffic.tag()]
    const entries = [await traffic.madeImage(image), await traffic.madeImage(image)]
    for (const entry of entries) await traffic.put(image, entry)
    return () => traffic.put(image, traffic.madeIndex(entries.map(({ bytes }) => digestOfBytes(bytes))), tag)
  }),
  step('move a tag', async (traffic) => {
    const [image, tag] = [traffic.image(), traffic.tag()]
    const to = await traffic.madeImage(image)
    await traffic.put(image, to, 'moving')
    return () => traffic.put(image, to, tag)
  }),
  step('delete a tag', async (traffic) => {
    const image = traffic.image()
    const tag = traffic.pick(traffic.journal.tagsOf(image))
    return tag === undefined ? undefined : () => traffic.deleteTag(image, tag)
  }),
  step('delete a manifest', async (traffic) => {
    const image = traffic.image()
    const digest = traffic.pick(traffic.journal.manifestsOf(image))
    return digest === undefined ? undefined : () => traffic.deleteManifest(image, digest)
  }),
  step('delete a blob', async (traffic) => {
    const image = traffic.image()
    const digest = await traffic.pushBlob(image, Buffer.from('of no use to anybody'))
    return () => traffic.deleteBlob(image, digest)
  }),
  step('mount a blob', async (traffic) => {
    const [from, image] = [images[0], images[1]]
    const digest = await traffic.pushBlob(from, traffic.layer())
    return () => traffic.mount(image, digest, from)
  }),
  step('collect garbage', async (traffic) => {
    const image = traffic.image()
    await traffic.put(image, await traffic.madeImage(image), 'short-lived')
    await traffic.deleteTag(image, 'short-lived')
    await traffic.pushBlob(image, traffic.layer())
    return async () => {
      await traffic.collectGarbage()
      await traffic.collectGarbage() // What the first round has let go of.
    }
  }),
  ...pullSteps,
  ...v1Steps,
]

function step(name: string, prepare: (traffic: Traffic) => ReturnType<Step['prepare']>): Step {
  return { name, prepare: ({ traffic }) => prepare(traffic) }
}
