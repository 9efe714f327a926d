import type { Digest, DigestAlgorithm } from '../../domain/digest.ts'
import type { Manifest, ManifestContents } from '../../domain/manifest.ts'
import type { ImageName, Tag } from '../../domain/names.ts'
import type { UploadId } from '../../storage/blob-store.ts'
import type { ImageRef } from '../../storage/metadata-store.ts'
import type { PushRights, PushTarget, Repository } from '../repository.ts'
import { ContentFromMembers, type Source } from './content-from-members.ts'

/** Pushes go to the member for deployment. What a manifest names and it lacks comes from what the pusher may read of the others. */
export class VirtualPushTarget implements PushTarget {
  readonly #target: PushTarget
  readonly #deployTo: Repository
  readonly #source: Source

  /** `target` is that of `deployTo`; `source` is the virtual repository as the pusher sees it. */
  constructor(target: PushTarget, deployTo: Repository, source: Source) {
    this.#target = target
    this.#deployTo = deployTo
    this.#source = source
  }

  /** A client that was told "it is there" of what another member has does not send it. */
  async putManifest(
    image: ImageName,
    manifest: Manifest,
    tags: readonly Tag[],
    rights: PushRights = {},
  ): Promise<ManifestContents> {
    const parts = { target: this.#target, deployTo: this.#deployTo, source: this.#source }
    const others = new ContentFromMembers(parts, image, rights)
    await others.takeWhatIsNamed(manifest)
    return this.#target.putManifest(image, manifest, tags, others.rights)
  }

  async mount(image: ImageName, digest: Digest, from: ImageRef): Promise<boolean> {
    return this.#target.mount(image, digest, from)
  }

  async mountSources(digest: Digest): Promise<readonly ImageRef[]> {
    return this.#target.mountSources(digest)
  }

  async admit(bytes: number): Promise<void> {
    return this.#target.admit(bytes)
  }

  async begin(image: ImageName, algorithm: DigestAlgorithm, principal: string | undefined): Promise<UploadId> {
    return this.#target.begin(image, algorithm, principal)
  }

  async received(image: ImageName, id: UploadId): Promise<number> {
    return this.#target.received(image, id)
  }

  async append(image: ImageName, id: UploadId, offset: number, bytes: AsyncIterable<Uint8Array>): Promise<number> {
    return this.#target.append(image, id, offset, bytes)
  }

  async finish(image: ImageName, id: UploadId, expected: Digest): Promise<void> {
    return this.#target.finish(image, id, expected)
  }

  async cancel(image: ImageName, id: UploadId): Promise<void> {
    return this.#target.cancel(image, id)
  }
}
