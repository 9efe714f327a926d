import { parseImageName, parseTag, type ImageName } from '../../../../registry/domain/names.ts'
import { everyTag, noTag, type TagSet } from '../../../../registry/domain/tag-set.ts'
import { LocalRepository } from '../../../../registry/repositories/local/local-repository.ts'
import type { PushTarget, Reader, Repository } from '../../../../registry/repositories/repository.ts'
import { FailureLog, type Member } from '../../../../registry/repositories/virtual/question.ts'
import {
  VirtualRepository,
  type VirtualSettings,
} from '../../../../registry/repositories/virtual/virtual-repository.ts'
import { sha256, streamOf } from '../../../contracts/blob-store.ts'
import { keyOf } from '../../../contracts/metadata-store.ts'
import { FakeRemote } from '../../../helpers/fake-remote.ts'
import type { TinyImage } from '../../../helpers/tiny-image.ts'
import { temporaryStorage } from '../storage.ts'

export const app = parseImageName('team/app')
export const tag = parseTag

/** Two local repositories and two remote ones, on real stores. Content of the remote ones is kept in `hub-cache`. */
export async function openMembers() {
  const storage = await temporaryStorage()
  const localOf = (key: string) => new LocalRepository(keyOf(key), storage)
  const warnings: unknown[] = []
  const soft = (repository: Repository): Member => ({ repository, failsHard: false })
  const hard = (repository: Repository): Member => ({ repository, failsHard: true })
  const cache = localOf('hub')
  return {
    storage,
    local: localOf('docker-local'),
    prod: localOf('docker-prod'),
    hub: new FakeRemote(keyOf('hub'), cache),
    quay: new FakeRemote(keyOf('quay')),
    soft,
    hard,
    warnings,
    virtualOf(members: readonly Member[], rest: Partial<VirtualSettings> = {}): VirtualRepository {
      const settings = { key: keyOf('all'), members, deployTo: undefined, resolveTagsBy: 'order', ...rest } as const
      const log = { warn: (what: unknown) => void warnings.push(what) }
      return new VirtualRepository(settings, new FailureLog(settings.key, log))
    },
    [Symbol.asyncDispose]: () => storage[Symbol.asyncDispose](),
  }
}

export async function pushBlob(target: PushTarget, image: ImageName, bytes: Uint8Array): Promise<void> {
  const id = await target.begin(image, 'sha256', 'bob')
  await target.append(image, id, 0, streamOf(bytes))
  await target.finish(image, id, sha256(bytes))
}

export async function push(target: PushTarget, image: ImageName, content: TinyImage, ...tags: readonly string[]) {
  for (const blob of content.blobs) await pushBlob(target, image, blob)
  await target.putManifest(image, manifestOf(content), tags.map(tag))
}

export function manifestOf({ manifest, mediaType }: TinyImage) {
  return { digest: sha256(manifest), mediaType, bytes: manifest }
}

type Rights = Readonly<Record<string, TagSet>>

/** `rights` by `<action> <repository>`; what is not named may not be done. `asked` has who was asked about, and by which way. */
export function readerWith(rights: Rights): Reader & { readonly asked: readonly string[] } {
  const asked: string[] = []
  return {
    asked,
    namespace: undefined,
    tagsOf: async (action, { repository }, through) => {
      asked.push([...through, repository].join(' > '))
      return rights[`${action} ${repository}`] ?? noTag
    },
    mayFetch: async ({ repository }) => rights[`deploy ${repository}`] ?? noTag,
  }
}

/** Who may read all of these. */
export function readerOf(...repositories: readonly string[]) {
  return readerWith(Object.fromEntries(repositories.map((key) => [`read ${key}`, everyTag])))
}
