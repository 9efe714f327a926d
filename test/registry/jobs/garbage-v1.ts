import { hash } from 'node:crypto'
import { Readable } from 'node:stream'
import { RegistryError } from '../../../registry/domain/errors.ts'
import { parseImageName, parseTag } from '../../../registry/domain/names.ts'
import { parseV1Image, type V1Image } from '../../../registry/domain/v1-image.ts'
import type { V1Pusher } from '../../../registry/repositories/local/v1-pushes.ts'
import type { V1Repository } from '../../../registry/repositories/local/v1-repository.ts'
import { digestOfBytes } from '../../helpers/tiny-image.ts'
import {
  shapes,
  v1Names,
  type BlobName,
  type ImageName,
  type ManifestName,
  type Outcome,
  type TagName,
  type V1Name,
} from './garbage-model.ts'

/** What docker does by the V1 API, step by step. */
export type V1Command =
  | { readonly do: 'announce'; readonly image: ImageName; readonly v1s: readonly V1Name[] }
  | { readonly do: 'send json' | 'complete'; readonly image: ImageName; readonly v1: V1Name }
  | { readonly do: 'tag V1 image'; readonly image: ImageName; readonly v1: V1Name; readonly tag: TagName }
  | { readonly do: 'end push'; readonly image: ImageName }

/** Not while something else is under way: that its bytes become a blob is what a V2 push does too. */
export interface SendLayer {
  readonly do: 'send layer'
  readonly image: ImageName
  readonly v1: V1Name
  readonly blob: BlobName
}

const app = parseImageName('app')
export const v1Images = new Map<ManifestName, V1Image>(v1Names.map((name) => [name, build(name)]))
const pusher: V1Pusher = {
  principal: 'somebody',
  mayRead: async () => true,
  mayDeploy: async () => true,
  mayBuildOn: async () => true,
}

/** `contentOf`: the bytes that were sent as the layer of the image, as far as the model knows. */
export async function askV1(
  repository: V1Repository,
  command: V1Command | SendLayer,
  content: string | undefined,
): Promise<Outcome> {
  try {
    await tell(repository, command, content ?? '')
    return 'done'
  } catch (error) {
    if (error instanceof RegistryError && refusals.has(error.code)) return 'refused'
    throw error
  }
}

const refusals = new Set(['MANIFEST_INVALID', 'MANIFEST_UNKNOWN', 'MANIFEST_BLOB_UNKNOWN', 'CONFLICT'])

async function tell(repository: V1Repository, command: V1Command | SendLayer, content: string): Promise<void> {
  switch (command.do) {
    case 'announce':
      return repository.pushes.announce(
        app,
        pusher.principal,
        command.v1s.map((name) => v1ImageOf(name).id),
      )
    case 'send json':
      return repository.pushes.putJson(v1ImageOf(command.v1), pusher)
    case 'send layer':
      return repository.pushes.putLayer(v1ImageOf(command.v1).id, Readable.from([Buffer.from(content)]), pusher)
    case 'complete': {
      const { id, json } = v1ImageOf(command.v1)
      const payload = digestOfBytes(Buffer.concat([json, Buffer.from(`\n${content}`)]))
      return repository.pushes.putChecksum(id, { payload, tarsum: undefined }, pusher)
    }
    case 'tag V1 image':
      return repository.pushes.putTag(app, parseTag(command.tag), v1ImageOf(command.v1).id, pusher, () => true)
    case 'end push':
      return repository.pushes.endPush(app, pusher.principal)
  }
}

function v1ImageOf(name: V1Name): V1Image {
  return v1Images.get(name) ?? build(name)
}

function build(name: V1Name): V1Image {
  const [parent] = shapes[name].entries
  return parseV1Image(Buffer.from(JSON.stringify({ id: idOf(name), ...(parent && { parent: idOf(parent) }) })))
}

function idOf(name: ManifestName): string {
  return hash('sha256', name)
}
