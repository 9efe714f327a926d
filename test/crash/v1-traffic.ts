import type { Answer, Question, RegistryClient } from '../helpers/registry-client.ts'
import { outcomeOf, type Outcome } from './possible.ts'
import { Gone, images, tags } from './traffic.ts'
import { v1ChainOf, v1ImageOfNumber, type KnownV1Image } from './v1-images.ts'
import type { V1Journal } from './v1-journal.ts'

/** Base path of the repository that speaks the V1 API. */
export const crashV1 = '/artifactory/api/docker/docker-v1/v1'

const chunkBytes = 64 * 1024

/** A client of the V1 API that says what it does to the journal before it does it, and what it was told after. */
export class V1Traffic {
  readonly #client: RegistryClient
  readonly #journal: V1Journal
  readonly #random: () => number
  readonly #said: () => void

  /** Random numbers and `said` as of {@link Traffic}. */
  constructor(client: RegistryClient, journal: V1Journal, random: () => number, said: () => void = () => {}) {
    this.#client = client.at(crashV1)
    this.#journal = journal
    this.#random = random
    this.#said = said
  }

  get journal(): V1Journal {
    return this.#journal
  }

  pick<item>(items: readonly item[]): item | undefined {
    return items[Math.floor(this.#random() * items.length)]
  }

  name(): string {
    return this.pick(images) ?? images[0]
  }

  tag(): string {
    return this.pick(tags) ?? tags[0]
  }

  /** Most often a new one; else it comes again, also after it was deleted. */
  image(): KnownV1Image {
    const { knownImages } = this.#journal
    const again = this.#random() < 0.3 ? this.pick(knownImages) : undefined
    return again ?? this.newImage()
  }

  newImage(): KnownV1Image {
    return this.know(v1ImageOfNumber(this.#journal.knownImages.length))
  }

  know(image: KnownV1Image): KnownV1Image {
    for (const known of v1ChainOf(image)) this.#journal.know(known)
    return image
  }

  /** As `docker push` does. */
  async push(name: string, tag: string, image: KnownV1Image): Promise<void> {
    await this.complete(name, image)
    await this.putTag(name, tag, image)
    await this.endPush(name)
  }

  /** The image and what it is built on, as far as the repository has it not. */
  async complete(name: string, image: KnownV1Image): Promise<void> {
    await this.announce(name, image)
    for (const each of v1ChainOf(image)) if (!(await this.#isThere(each))) await this.pushImage(name, each)
  }

  /** Announced, with all that it is built on complete. */
  async prepare(name: string, image: KnownV1Image): Promise<void> {
    if (image.parent) await this.complete(name, image.parent)
    await this.announce(name, image)
  }

  async pushImage(name: string, image: KnownV1Image): Promise<void> {
    await this.putJson(name, image)
    await this.putLayer(name, image)
    await this.putChecksum(name, image)
  }

  async announce(name: string, image: KnownV1Image): Promise<void> {
    const chain = v1ChainOf(image)
    const settle = chain.map(({ id }) => this.#journal.setOpen(name, id, true))
    const body = JSON.stringify(chain.map(({ id }) => ({ id })))
    await this.#change(settle, 'PUT', `repositories/${name}/`, { body })
  }

  async putJson(name: string, { id, json, parent }: KnownV1Image): Promise<void> {
    const settle = [...this.#brought(name, parent), this.#journal.setJson(name, id)]
    await this.#change(settle, 'PUT', `images/${id}/json`, { body: json })
  }

  async putLayer(name: string, { id, layer }: KnownV1Image): Promise<void> {
    const chunks = Array.from({ length: Math.ceil(layer.length / chunkBytes) }, (_, number) =>
      layer.subarray(number * chunkBytes, (number + 1) * chunkBytes),
    )
    await this.#change([this.#journal.setLayer(name, id)], 'PUT', `images/${id}/layer`, { chunks })
  }

  async putChecksum(name: string, { id, payload, parent }: KnownV1Image): Promise<void> {
    const settle = [...this.#brought(name, parent), this.#journal.setImage(name, id, true)]
    const headers = { 'x-docker-checksum-payload': payload }
    await this.#change(settle, 'PUT', `images/${id}/checksum`, { headers })
  }

  async putTag(name: string, tag: string, image: KnownV1Image): Promise<void> {
    const settle = [...this.#brought(name, image), this.#journal.setTag(name, tag, image.id)]
    await this.#change(settle, 'PUT', `repositories/${name}/tags/${tag}`, { body: JSON.stringify(image.id) })
  }

  async endPush(name: string): Promise<void> {
    const settle = this.#openIn(name).map((id) => this.#journal.setOpen(name, id, false))
    await this.#change(settle, 'PUT', `repositories/${name}/images`, { body: '[]' })
  }

  async deleteTag(name: string, tag: string): Promise<void> {
    await this.#change([this.#journal.setTag(name, tag, undefined)], 'DELETE', `repositories/${name}/tags/${tag}`)
  }

  async deleteName(name: string): Promise<void> {
    await this.#change([this.#journal.setNameless(name)], 'DELETE', `repositories/${name}/`)
  }

  /** The image name comes to have these from another one, which stays so if what needs them is refused. */
  #brought(name: string, image: KnownV1Image | undefined): readonly ((outcome: Outcome) => void)[] {
    const settle = (image ? v1ChainOf(image) : []).map(({ id }) => this.#journal.setImage(name, id, true))
    return settle.map((settled) => (outcome) => settled(outcome === 'done' ? 'done' : 'unknown'))
  }

  #openIn(name: string): readonly string[] {
    return [...this.#journal.claims.open.keys()]
      .map((key) => key.split(' '))
      .flatMap(([of, id = '']) => (of === name ? [id] : []))
  }

  async #isThere({ id }: KnownV1Image): Promise<boolean> {
    return (await this.#ask('GET', `images/${id}/json`)).status === 200
  }

  async #change(
    settle: readonly ((outcome: Outcome) => void)[],
    method: string,
    target: string,
    asked: Question = {},
  ): Promise<void> {
    this.#said()
    const { status, body } = await this.#ask(method, target, asked)
    if (status >= 500) throw new Error(`${method} ${target} is answered with ${status} ${body.toString()}`)
    for (const settled of settle) settled(outcomeOf(status))
    this.#said()
  }

  async #ask(...question: Parameters<RegistryClient['ask']>): Promise<Answer> {
    try {
      return await this.#client.ask(...question)
    } catch (cause) {
      throw new Gone('the registry has gone away', { cause })
    }
  }
}
