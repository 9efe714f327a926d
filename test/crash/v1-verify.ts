import type { Answer, RegistryClient } from '../helpers/registry-client.ts'
import { payloadSum } from '../helpers/v1-client.ts'
import { imageOf, nameOf } from './possible.ts'
import { v1ChainOf, type KnownV1Image } from './v1-images.ts'
import type { Stage, V1Journal } from './v1-journal.ts'
import { crashV1, V1Traffic } from './v1-traffic.ts'

/**
 * Compares what there is by the V1 API with what its clients were told, and pulls all of it; what is seen becomes certain in the journal.
 * Resolves with what is wrong, a sentence each.
 */
export async function verifyV1(client: RegistryClient, journal: V1Journal): Promise<readonly string[]> {
  const verifier = new V1Verifier(client.at(crashV1), journal)
  await verifier.verify()
  return verifier.problems
}

/** Goes on with every push that may not have ended: first from where it was, then from its beginning. */
export async function pushV1Again(client: RegistryClient, journal: V1Journal): Promise<readonly string[]> {
  const problems: string[] = []
  const traffic = new V1Traffic(client, journal, () => 0)
  for (const name of journal.names)
    for (const image of journal.halfPushed(name)) {
      await traffic.announce(name, image)
      const { id, payload } = image
      const headers = { 'x-docker-checksum-payload': payload }
      const answer = await client.at(crashV1).ask('PUT', `images/${id}/checksum`, { headers })
      const possible = journal.stageOf(name, id)
      const stage = stageIn(answer)
      // What was lost may have come back with another image that has the same layer.
      if (stage === undefined || !(possible.has(stage) || (stage === 'layer' && possible.has('lost'))))
        problems.push(
          `the push of ${name} ${id} has come to "${stage}", and not to one of ${[...possible].join(', ')}: ${said(answer)}`,
        )
      if (stage !== undefined) journal.observedStage(name, id, stage)
      if (stage === 'layer') journal.observedImage(`${name} ${id}`, true)
      else await traffic.pushImage(name, image)
    }
  for (const name of journal.names)
    for (const { id } of journal.halfPushed(name)) problems.push(`${name} ${id} cannot be pushed again`)
  return problems
}

class V1Verifier {
  readonly problems: string[] = []
  readonly #client: RegistryClient
  readonly #journal: V1Journal
  readonly #pulled = new Set<string>()

  constructor(client: RegistryClient, journal: V1Journal) {
    this.#client = client
    this.#journal = journal
  }

  async verify(): Promise<void> {
    for (const [key, possible] of this.#journal.claims.tags) {
      const id = await this.#tag(imageOf(key), nameOf(key))
      if (!possible.has(id)) this.#wrong(`V1 tag ${key} is ${id}, and not one of ${[...possible].join(', ')}`)
      this.#journal.observedTag(key, id)
    }
    for (const name of this.#journal.names) await this.#images(name)
  }

  /** The id that it is on, which can be pulled then. */
  async #tag(name: string, tag: string): Promise<string | undefined> {
    const answer = await this.#client.ask('GET', `repositories/${name}/tags/${tag}`)
    if (answer.status === 404) return undefined
    const id = answer.status === 200 ? String(answer.json()) : ''
    const known = this.#journal.find(id)
    if (known) await this.#pullChain(known)
    else this.#wrong(`V1 tag ${name} ${tag} is answered with ${said(answer)}`)
    return id
  }

  async #pullChain(image: KnownV1Image): Promise<void> {
    const chain = v1ChainOf(image)
    const answer = await this.#client.ask('GET', `images/${image.id}/ancestry`)
    const expected = JSON.stringify(chain.map(({ id }) => id).toReversed())
    if (answer.status !== 200 || answer.body.toString() !== expected)
      this.#wrong(`the ancestry of ${image.id} is answered with ${said(answer)}, and not ${expected}`)
    for (const each of chain) await this.#pull(each)
  }

  async #pull({ id, json, payload, layer }: KnownV1Image): Promise<void> {
    if (this.#pulled.has(id)) return
    this.#pulled.add(id)
    const { status, headers, body } = await this.#client.ask('GET', `images/${id}/json`)
    if (status !== 200 || body.toString() !== json) this.#wrong(`the JSON of ${id} is another (${status})`)
    if (headers['x-docker-size'] !== String(layer.length)) this.#wrong(`the size of ${id} is another`)
    if (headers['x-docker-checksum-payload'] !== payload) this.#wrong(`the checksum of ${id} is another`)
    const pulled = await this.#client.ask('GET', `images/${id}/layer`)
    if (pulled.status !== 200 || payloadSum(json, pulled.body) !== payload)
      this.#wrong(`the layer of ${id} has other bytes (${pulled.status})`)
  }

  async #images(name: string): Promise<void> {
    const listed = await this.#listed(name)
    const { images } = this.#journal.claims
    for (const id of listed) {
      const known = this.#journal.find(id)
      if (known) await this.#pull(known)
      if (!images.has(`${name} ${id}`)) this.#wrong(`${name} has ${id}, which nobody has pushed to it`)
    }
    for (const [key, possible] of images) {
      if (imageOf(key) !== name) continue
      const there = listed.has(nameOf(key))
      if (!possible.has(there)) this.#wrong(`V1 image ${key} is ${there ? 'still there' : 'gone'}`)
      this.#journal.observedImage(key, there)
    }
  }

  /** Complete images. */
  async #listed(name: string): Promise<ReadonlySet<string>> {
    const answer = await this.#client.ask('GET', `repositories/${name}/images`)
    if (answer.status === 200) return new Set((answer.json() as readonly { readonly id: string }[]).map(({ id }) => id))
    if (answer.status !== 404) this.#wrong(`the images of ${name} are answered with ${said(answer)}`)
    return new Set()
  }

  #wrong(problem: string): void {
    this.problems.push(problem)
  }
}

/** How far an image that is not complete had come when its checksum was put. */
function stageIn(answer: Answer): Stage | undefined {
  if (answer.status === 200) return 'layer'
  const { error } = answer.json() as { readonly error: string }
  if (error.includes('the layer comes before it')) return 'json'
  if (error.includes('Image not found')) return 'nothing'
  return error.includes('that the image does not have') ? 'lost' : undefined
}

function said({ status, body }: Answer): string {
  return `${status} ${body.toString()}`
}
