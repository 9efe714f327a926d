import { isDeepStrictEqual } from 'node:util'
import { parseJson } from '../../registry/domain/json.ts'
import type { ImageName, Tag } from '../../registry/domain/names.ts'
import type { V1ImageId } from '../../registry/domain/v1-image.ts'
import { Turns } from '../../registry/repositories/upstream/turns.ts'
import { nothingYet, type Compared, type Copied, type Copier, type Sum, type Task } from './copier.ts'
import { persistently } from './persistence.ts'
import type { FindPushable, V1Pushable, V1Step } from './v1-pushable.ts'
import { withNamespace } from './v1-registry.ts'
import type { V1Target } from './v1-target.ts'

export interface V1CopyOptions {
  readonly find: FindPushable
  readonly target: V1Target
}

/** As docker asks for them. */
const probesAtOnce = 5

/** Copies images to a registry of the V1 API, as docker pushes them, and leaves out what is there. */
export class V1Copy implements Copier {
  readonly #find: FindPushable
  readonly #target: V1Target
  /** By image name: what ends one push of it ends all of them. */
  readonly #pushes = new Map<string, Turns>()
  /** By id: images have those that they are on in common. */
  readonly #steps = new Map<V1ImageId, Turns>()

  constructor({ find, target }: V1CopyOptions) {
    this.#find = find
    this.#target = target
  }

  /** There is no place for what cosign keeps under tags, nor for the lists of referrers. */
  takes(tag: Tag): boolean {
    return !/^sha(?:256|512)-[0-9a-f]{64,128}(?:\.|$)/.test(tag)
  }

  async login(): Promise<void> {
    await persistently(() => this.#target.login())
  }

  async compare({ from, to }: Task): Promise<Compared> {
    const { top: id } = await this.#pushable(from)
    const isThere = id === (await this.#tagged(to.image, tagOf(to)))
    return isThere ? { kind: 'there', id, sum: nothingYet() } : { kind: 'to copy' }
  }

  async copy({ from, to }: Task): Promise<Copied> {
    const [tag, sum] = [tagOf(to), nothingYet()]
    const pushable = await this.#pushable(from)
    const { top: id } = pushable
    if (id === (await this.#tagged(to.image, tag))) return { kind: 'there', id, sum }
    const steps = await persistently(() => pushable.steps())
    await turnsOf(this.#pushes, withNamespace(to.image)).during(() => this.#push(to.image, tag, steps, sum))
    return { kind: 'copied', id, sum }
  }

  async #pushable({ image, reference }: Task['from']): Promise<V1Pushable> {
    const pushable = await persistently(() => this.#find(image, reference))
    if (pushable) return pushable
    throw new Error('the source has no such image')
  }

  async #tagged(image: ImageName, tag: Tag): Promise<V1ImageId | undefined> {
    return await persistently(() => this.#target.tag(image, tag))
  }

  async #push(image: ImageName, tag: Tag, steps: readonly V1Step[], sum: Sum): Promise<void> {
    const ids = steps.map(({ image: { id } }) => id)
    const top = steps.at(-1)
    if (!top) throw new Error('it has no images')
    await persistently(() => this.#target.begin(image, ids, tag))
    const probes = new Turns(probesAtOnce)
    const probing = steps.map((step) => probes.during(() => this.#isThere(image, step)))
    const there = await allOf(probing)
    for (const [index, step] of steps.entries()) if (!there[index]) await this.#pushStep(image, step, sum)
    await persistently(() => this.#target.putTag(image, tag, top.image.id))
    await persistently(() => this.#target.end(image))
  }

  async #pushStep(image: ImageName, step: V1Step, sum: Sum): Promise<void> {
    const turns = turnsOf(this.#steps, step.image.id)
    const isAlone = turns.isFree
    await turns.during(async () => {
      if (!isAlone && (await this.#isThere(image, step))) return
      const size = await persistently(() => this.#target.push(image, step.image, () => step.open()))
      if (size === undefined) return
      sum.manifests += 1
      sum.blobs += 1
      sum.bytes += size
    })
  }

  /** Throws where the id is that of another image. */
  async #isThere(of: ImageName, { image: { id, json } }: V1Step): Promise<boolean> {
    const there = await persistently(() => this.#target.json(of, id))
    if (!there) return false
    const [one, other] = [parseJson(there), parseJson(json)]
    if (isDeepStrictEqual(one, other)) return true
    throw new Error(`the target has another image under the id ${id}`)
  }
}

function tagOf({ tag }: Task['to']): Tag {
  if (tag !== undefined) return tag
  throw new Error('the V1 API knows images by their tags alone: name one in the target')
}

function turnsOf<key>(all: Map<key, Turns>, key: key): Turns {
  const turns = all.get(key) ?? new Turns(1)
  all.set(key, turns)
  return turns
}

/** None goes on behind the back of whoever waits. */
async function allOf<value>(work: readonly Promise<value>[]): Promise<readonly value[]> {
  const ended = await Promise.allSettled(work)
  return ended.map((one) => {
    if (one.status === 'rejected') throw one.reason
    return one.value
  })
}
