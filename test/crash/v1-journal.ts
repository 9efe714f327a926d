import { certainKeys, change, decide, imageOf, nameOf, type Outcome, type Possible } from './possible.ts'
import { v1ChainOf, type KnownV1Image } from './v1-images.ts'

/**
 * How far the push of an image has come. `lost`: its layer had come, and has gone again with the image name or as garbage, which a client
 * is told when it goes on.
 */
export type Stage = 'nothing' | 'json' | 'layer' | 'lost'

/** All by `<image name> <tag>` or `<image name> <id>`. */
interface V1Claims {
  /** The id that the tag is on. */
  readonly tags: Map<string, Possible<string | undefined>>
  /** Images that are complete. */
  readonly images: Map<string, Possible<boolean>>
  /** Images of pushes that have not ended: garbage collection leaves these alone. */
  readonly open: Map<string, Possible<boolean>>
  readonly stages: Map<string, Possible<Stage>>
}

/** What a client of the V1 API was told. */
export class V1Journal {
  readonly #known = new Map<string, KnownV1Image>()
  #claims: V1Claims = { tags: new Map(), images: new Map(), open: new Map(), stages: new Map() }

  get claims(): V1Claims {
    return this.#claims
  }

  snapshot(): V1Claims {
    return structuredClone(this.#claims)
  }

  as(claims: V1Claims): V1Journal {
    const journal = new V1Journal()
    for (const image of this.#known.values()) journal.know(image)
    journal.#claims = structuredClone(claims)
    return journal
  }

  know(image: KnownV1Image): void {
    this.#known.set(image.id, image)
  }

  get knownImages(): readonly KnownV1Image[] {
    return [...this.#known.values()]
  }

  find(id: string): KnownV1Image | undefined {
    return this.#known.get(id)
  }

  /** Names of which anything was ever said. */
  get names(): readonly string[] {
    const { tags, images, open } = this.#claims
    return [...new Set([tags, images, open].flatMap((claims) => [...claims.keys()].map(imageOf)))]
  }

  setTag(image: string, tag: string, id: string | undefined): (outcome: Outcome) => void {
    return change(this.#claims.tags, `${image} ${tag}`, undefined, id)
  }

  setImage(image: string, id: string, there: boolean): (outcome: Outcome) => void {
    return change(this.#claims.images, `${image} ${id}`, false, there)
  }

  setOpen(image: string, id: string, open: boolean): (outcome: Outcome) => void {
    return change(this.#claims.open, `${image} ${id}`, false, open)
  }

  /** The JSON has no layer unless it had one before. */
  setJson(image: string, id: string): (outcome: Outcome) => void {
    return this.#setStage(`${image} ${id}`, (stage) => (stage === 'nothing' ? 'json' : stage))
  }

  setLayer(image: string, id: string): (outcome: Outcome) => void {
    return this.#setStage(`${image} ${id}`, () => 'layer')
  }

  /** What goes with an image name; pushes to it go on. */
  setNameless(image: string): (outcome: Outcome) => void {
    const { tags, images, stages } = this.#claims
    const of = (claims: ReadonlyMap<string, unknown>) => [...claims.keys()].filter((key) => imageOf(key) === image)
    const settle = [
      ...of(tags).map((key) => this.setTag(image, nameOf(key), undefined)),
      ...of(images).map((key) => this.setImage(image, nameOf(key), false)),
      ...of(stages).map((key) => this.#setStage(key, lost)),
    ]
    return (outcome) => settle.forEach((settled) => settled(outcome))
  }

  tagsOf(image: string): readonly string[] {
    return certainKeys(this.#claims.tags, image, (id) => id !== undefined)
  }

  /** The base images first. Of pushes that may not have ended, those that are not certainly complete. */
  halfPushed(image: string): readonly KnownV1Image[] {
    const { open, images } = this.#claims
    const ids = [...open].flatMap(([key, possible]) =>
      imageOf(key) === image && possible.has(true) && !isCertain(images.get(key), true) ? [nameOf(key)] : [],
    )
    const half = ids.map((id) => this.find(id)).filter((known) => known !== undefined)
    return half.toSorted((one, other) => v1ChainOf(one).length - v1ChainOf(other).length)
  }

  stageOf(image: string, id: string): Possible<Stage> {
    return this.#claims.stages.get(`${image} ${id}`) ?? new Set(['nothing'])
  }

  observedTag(key: string, id: string | undefined): void {
    this.#claims.tags.set(key, new Set([id]))
  }

  observedImage(key: string, there: boolean): void {
    this.#claims.images.set(key, new Set([there]))
  }

  observedStage(image: string, id: string, stage: Stage): void {
    this.#claims.stages.set(`${image} ${id}`, new Set([stage]))
  }

  /** No push is known any more. */
  observedExpiry(): void {
    this.#claims.open.clear()
    this.#claims.stages.clear()
  }

  /** Garbage collection without a time of grace is under way: what neither a tag nor an open push certainly holds may go. */
  mayBeCollected(): void {
    const { images, open, stages } = this.#claims
    const held = this.#held()
    for (const [key, possible] of images) if (!held.has(key)) images.set(key, new Set([...possible, false]))
    for (const [key, possible] of stages)
      if (!held.has(key) && !isCertain(open.get(key), true))
        stages.set(key, new Set([...possible, ...mapped(possible, lost)]))
  }

  /** Pushes that nobody has gone on with may be forgotten. */
  mayExpire(): void {
    const { open, stages } = this.#claims
    for (const [key, possible] of open) open.set(key, new Set([...possible, false]))
    for (const [key, possible] of stages) stages.set(key, new Set([...possible, 'nothing']))
  }

  /** Keys of the images that certainly must stay. */
  #held(): ReadonlySet<string> {
    const { tags, images, open } = this.#claims
    const held = new Set<string>()
    const hold = (image: string, id: string): void => {
      const known = this.find(id)
      for (const { id } of known ? v1ChainOf(known) : []) held.add(`${image} ${id}`)
    }
    for (const [key, possible] of tags) {
      const [id, ...others] = possible
      if (id !== undefined && others.length === 0) hold(imageOf(key), id)
    }
    for (const [key, possible] of open)
      if (isCertain(possible, true) && isCertain(images.get(key), true)) hold(imageOf(key), nameOf(key))
    return held
  }

  #setStage(key: string, next: (stage: Stage) => Stage): (outcome: Outcome) => void {
    const before = this.#claims.stages.get(key) ?? new Set<Stage>(['nothing'])
    return decide(this.#claims.stages, key, before, mapped(before, next))
  }
}

function lost(stage: Stage): Stage {
  return stage === 'layer' ? 'lost' : stage
}

function mapped(stages: Possible<Stage>, to: (stage: Stage) => Stage): Possible<Stage> {
  return new Set([...stages].map(to))
}

function isCertain<value>(possible: Possible<value> | undefined, wanted: value): boolean {
  return possible !== undefined && [...possible].every((value) => value === wanted)
}
