import { addAbortListener } from 'node:events'
import type { Digest } from '../domain/digest.ts'
import { matchesGlob } from '../domain/glob.ts'
import { parseManifest, platformEntries, type Manifest } from '../domain/manifest.ts'
import { isTag, type ImageName, type Reference, type Tag } from '../domain/names.ts'
import type { TagSet } from '../domain/tag-set.ts'
import type { CacheState, Repository } from './repository.ts'

export interface Wanted {
  readonly image: ImageName
  /** Tags, in which `*` stands for any characters and `?` for one. */
  readonly tags: readonly string[]
  /** Those that may be had at all. Undefined: all. */
  readonly among?: TagSet | undefined
  /** Of a multi-platform image, those like `linux/amd64` or `linux/arm/v7`. Undefined: all. */
  readonly platforms?: readonly string[] | undefined
}

/** What has been made sure to be here. */
export interface Fetched {
  readonly kind: 'manifest' | 'blob'
  readonly digest: Digest
  /** Of a manifest that was asked for by it. */
  readonly tag: Tag | undefined
  /** In bytes. */
  readonly size: number
  /** How it was found. */
  readonly cache: CacheState['kind']
}

const tagsAtOnce = 1000

/** Has a repository fetch images whole, before anybody asks for them; tells of each part when it is there. Ends when `signal` is aborted. */
export async function* prefetch(
  repository: Repository,
  { image, tags, among, platforms }: Wanted,
  signal: AbortSignal,
): AsyncGenerator<Fetched> {
  const seen = new Set<Digest>()
  for await (const tag of tagsLike(repository, image, tags)) {
    if (signal.aborted) return
    if (among && !among.has(tag)) continue
    yield* fetchManifest({ repository, image, platforms, signal, seen }, { tag })
  }
}

interface Errand {
  readonly repository: Repository
  readonly image: ImageName
  readonly platforms: readonly string[] | undefined
  readonly signal: AbortSignal
  readonly seen: Set<Digest>
}

async function* fetchManifest(errand: Errand, reference: Reference): AsyncGenerator<Fetched> {
  const { repository, image, seen, signal } = errand
  if (signal.aborted) return
  const manifest = await repository.manifest(image, reference)
  if (!manifest || seen.has(manifest.digest)) return
  const { digest, bytes, cache, mediaType } = manifest
  seen.add(digest)
  const tag = 'tag' in reference ? reference.tag : undefined
  yield { kind: 'manifest', digest, tag, size: bytes.byteLength, cache: cache?.kind ?? 'hit' }
  for (const entry of wantedEntries(manifest, errand.platforms)) yield* fetchManifest(errand, { digest: entry })
  for (const blob of parseManifest(mediaType, bytes).blobs) yield* fetchBlob(errand, blob)
}

async function* fetchBlob({ repository, image, seen, signal }: Errand, digest: Digest): AsyncGenerator<Fetched> {
  if (signal.aborted || seen.has(digest)) return
  seen.add(digest)
  const blob = await repository.blob(image, digest)
  if (!blob) return
  const cache = blob.cache?.kind ?? 'hit' // now: when it has come in, it is there for everybody
  if (blob.growth) await unlessAborted(blob.growth.kept(), signal)
  if (signal.aborted) return
  yield { kind: 'blob', digest, tag: undefined, size: blob.size, cache }
}

/** Whoever is to end does not wait for the end of a transfer. */
async function unlessAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  const aborted = Promise.withResolvers<void>()
  using _listening = addAbortListener(signal, () => aborted.resolve())
  await Promise.race([work, aborted.promise])
}

function wantedEntries(manifest: Manifest, platforms: readonly string[] | undefined): readonly Digest[] {
  return platformEntries(manifest)
    .filter(({ platform }) => !platforms || platform === undefined || platforms.some((one) => isOf(one, platform)))
    .map(({ digest }) => digest)
}

/** `linux/arm` stands for all its variants. */
function isOf(wanted: string, platform: string): boolean {
  return platform === wanted || platform.startsWith(`${wanted}/`)
}

async function* tagsLike(repository: Repository, image: ImageName, globs: readonly string[]): AsyncGenerator<Tag> {
  const patterns = globs.filter((glob) => /[*?]/.test(glob))
  yield* globs.filter((glob) => !patterns.includes(glob)).filter(isTag)
  if (patterns.length === 0) return
  let after: Tag | undefined
  do {
    const page = await repository.tags(image, after, tagsAtOnce)
    for (const tag of page?.items ?? []) if (patterns.some((pattern) => matchesGlob(pattern, tag))) yield tag
    after = page?.next
  } while (after !== undefined)
}
