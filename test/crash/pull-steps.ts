import { digestOfBytes } from '../helpers/tiny-image.ts'
import { chunked, reset } from '../helpers/upstream/faults.ts'
import { together, type Pulls } from './pulls.ts'
import type { Step } from './steps.ts'

const app = 'mirrored/app'
const tools = 'mirrored/tools'

/** How images come from elsewhere. Each is a new one, so that it has to. */
export const pullSteps: readonly Step[] = [
  step('pull an image', async (pulls) => {
    const digest = push(pulls, app, 'latest')
    return () => pulls.image(app, digest)
  }),
  step('pull a tag that has moved', async (pulls) => {
    push(pulls, app, 'moving')
    await pulls.manifest(app, 'moving')
    push(pulls, app, 'moving')
    return () => pulls.image(app, 'moving')
  }),
  step('pull an image for two platforms', async (pulls) => {
    const { origin } = pulls
    const entries = [origin.layer(), origin.layer()].map((layer) => origin.push(app, undefined, layer))
    for (const entry of entries) pulls.know(entry)
    pulls.know(origin.pushIndex(app, 'multi', entries))
    return () => pulls.image(app, 'multi')
  }),
  step('pull two images that share layers', async (pulls) => {
    const layer = pulls.origin.layer()
    for (const image of [app, tools]) push(pulls, image, 'sharing', layer)
    return () => together([pulls.image(app, 'sharing'), pulls.image(tools, 'sharing')])
  }),
  step('pull layers that another image has brought', async (pulls) => {
    const layer = pulls.origin.layer()
    push(pulls, app, 'first', layer)
    await pulls.image(app, 'first')
    push(pulls, tools, 'second', layer)
    return () => pulls.image(tools, 'second')
  }),
  step('pull one blob with several clients', async (pulls) => {
    const layer = pulls.origin.layer()
    push(pulls, app, 'crowded', layer)
    await pulls.manifest(app, 'crowded')
    const digest = digestOfBytes(layer)
    const clients = [1, 2, 3].map(() => () => pulls.blob(app, digest))
    const late = () => pulls.rest(app, digest, layer, layer.length >> 1)
    return () => together([...clients, late].map((pull) => pull()))
  }),
  step('pull a blob that breaks off', async (pulls) => {
    const digest = blob(pulls)
    return async () => {
      pulls.origin.breakNextBlob(reset(50_000))
      await pulls.blob(app, digest)
    }
  }),
  step('pull a blob of unknown size', async (pulls) => {
    const digest = blob(pulls)
    return async () => {
      pulls.origin.breakNextBlob(chunked)
      await pulls.blob(app, digest)
    }
  }),
]

/** The digest of a manifest that is new at the upstream. */
function push(pulls: Pulls, image: string, tag: string, layer = pulls.origin.layer()): string {
  return pulls.know(pulls.origin.push(image, tag, layer))
}

/** The digest of a blob that no manifest names. */
function blob({ origin }: Pulls): string {
  return origin.upstream.content.blob(app, origin.layer())
}

function step(name: string, prepare: (pulls: Pulls) => ReturnType<Step['prepare']>): Step {
  return { name, prepare: ({ pulls }) => prepare(pulls) }
}
