import { Readable } from 'node:stream'
import type { ImageName, Tag } from '../../registry/domain/names.ts'
import { isV1ImageId, type V1Image, type V1ImageId } from '../../registry/domain/v1-image.ts'
import { LayerChecksums } from '../../registry/repositories/local/layer-checksums.ts'
import { UpstreamFailure } from '../../registry/repositories/upstream/upstream.ts'
import { withNamespace } from './v1-registry.ts'
import type { V1Outcome, V1Put, V1Requests } from './v1-requests.ts'

const maxJsonBytes = 4 * 1024 * 1024
const json = { 'content-type': 'application/json' }

/** A registry of the V1 API, as far as images are pushed to it: the calls of docker. Each rejects with an UpstreamFailure. */
export class V1Target implements AsyncDisposable {
  readonly name: string
  readonly #requests: V1Requests

  constructor(requests: V1Requests) {
    this.name = requests.name
    this.#requests = requests
  }

  /** Whether it speaks the V1 API and knows us. */
  async login(): Promise<void> {
    await this.#requests.login()
  }

  /** Undefined also where we may not see it. */
  async tag(image: ImageName, tag: Tag): Promise<V1ImageId | undefined> {
    const path = `repositories/${withNamespace(image)}/tags/${tag}`
    const id = await ifSeen(this.#requests.getJson(path, image, maxJsonBytes))
    return typeof id === 'string' && isV1ImageId(id) ? id : undefined
  }

  /** Begins a push of these images, the base first, of which the last one is to have the tag. */
  async begin(image: ImageName, ids: readonly V1ImageId[], tag: Tag): Promise<void> {
    const top = ids.at(-1)
    const body = JSON.stringify(ids.map((id) => (id === top ? { id, Tag: tag } : { id })))
    done(await this.#requests.putAtIndex(image, { path: `repositories/${image}/`, headers: json, body }))
  }

  /** The JSON of an image that is complete and that we may see. */
  async json(image: ImageName, id: V1ImageId): Promise<Uint8Array | undefined> {
    const answer = await ifSeen(this.#requests.get(`images/${id}/json`, image))
    return answer && (await this.#requests.read(answer, maxJsonBytes))
  }

  /**
   * Within a push that was begun, after its parent; `open` opens the layer. Resolves with the size of that, or undefined for an image that
   * was there after all.
   */
  async push(image: ImageName, one: V1Image, open: () => Promise<Readable>): Promise<number | undefined> {
    const at = `images/${one.id}`
    if (isThere(await this.#requests.put(image, { path: `${at}/json`, headers: json, body: one.json })))
      return undefined
    const sums = new LayerChecksums(one.json)
    const layer = new SentLayer(await open())
    const body = Readable.from(sums.watch(layer.bytes()), { objectMode: false })
    const headers = { 'content-type': 'application/octet-stream' }
    if (isThere(await layer.during(this.#requests.put(image, { path: `${at}/layer`, headers, body })))) return undefined
    const { payload, tarsums } = await sums.finish()
    const summed: V1Put = {
      path: `${at}/checksum`,
      headers: {
        'x-docker-checksum-payload': payload,
        ...(tarsums && { 'x-docker-checksum': tarsums.v0 }),
        'content-length': '0',
      },
    }
    return isThere(await this.#requests.put(image, summed)) ? undefined : layer.size
  }

  /** After the image. */
  async putTag(image: ImageName, tag: Tag, id: V1ImageId): Promise<void> {
    const path = `repositories/${image}/tags/${tag}`
    done(await this.#requests.put(image, { path, headers: json, body: JSON.stringify(id) }))
  }

  /** Ends the push. */
  async end(image: ImageName): Promise<void> {
    done(await this.#requests.putAtIndex(image, { path: `repositories/${image}/images`, headers: json, body: '[]' }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#requests[Symbol.asyncDispose]()
  }
}

/** A layer on its way, which remembers what the source has done to it: the target then has failed of that alone. */
class SentLayer {
  readonly #source: Readable
  #failure: { readonly cause: unknown } | undefined
  size = 0

  constructor(source: Readable) {
    this.#source = source
  }

  async *bytes(): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of this.#source as AsyncIterable<Uint8Array>) {
        this.size += chunk.length
        yield chunk
      }
    } catch (cause) {
      this.#failure = { cause }
      throw cause
    }
  }

  async during<result>(sending: Promise<result>): Promise<result> {
    try {
      return await sending
    } catch (error) {
      throw this.#failure ? this.#failure.cause : error
    } finally {
      this.#source.destroy()
    }
  }
}

/**
 * As docker does, which takes any refusal for "not there": some say 400 of an image of which a push broke off, or let nobody read who writes, or
 * whoever asks for what they do not know.
 */
async function ifSeen<seen>(asking: Promise<seen | undefined>): Promise<seen | undefined> {
  try {
    return await asking
  } catch (error) {
    if (error instanceof UpstreamFailure && (error.kind === 'refused' || error.kind === 'wrong')) return undefined
    throw error
  }
}

function done({ failure }: V1Outcome): void {
  if (failure) throw failure
}

/** The one text that docker looks for, whatever the status. Throws for any other refusal. */
function isThere({ failure, told }: V1Outcome): boolean {
  if (!failure) return false
  if (told === 'Image already exists') return true
  throw failure
}
