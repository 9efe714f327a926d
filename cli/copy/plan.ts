import { matchesGlob } from '../../registry/domain/glob.ts'
import {
  isImageName,
  parseImageName,
  parseTag,
  type ImageName,
  type Reference,
  type Tag,
} from '../../registry/domain/names.ts'
import type { Task } from './copier.ts'
import { persistently } from './persistence.ts'
import type { Wanted } from './place.ts'
import type { Source } from './source.ts'

export interface PlanOptions {
  readonly source: Source
  readonly wanted: Wanted
  /** Of a whole registry, images that match one of these; none: all. */
  readonly imageGlobs: readonly string[]
  /** Of each image, tags that match one of these; undefined: all. */
  readonly tagGlobs: readonly string[] | undefined
  /** Whether images under such a tag go by themselves, where they are not named. */
  readonly takes: (tag: Tag) => boolean
  /** With a reference: what the only image is called there. With an image: what stands before the names, or the name of the only one. */
  readonly to: Wanted
}

/** What there is to do, or why something cannot be done. */
export type Planned = Task | { readonly of: string; readonly problem: string }

/** Rejects when nothing can be done at all. */
export async function* plan(options: PlanOptions): AsyncGenerator<Planned> {
  const { wanted, to } = options
  if (to.reference === undefined) return yield* wantedOf(options)
  const all: Planned[] = []
  for await (const planned of wantedOf(options)) all.push(planned)
  const [only] = all
  if (all.length !== 1 || only === undefined || 'problem' in only)
    throw new Error(`the target names one tag, and ${all.length} would come: name one source image with its tag`)
  yield { ...only, to: { image: to.image ?? wanted.image ?? only.to.image, tag: tagIn(to.reference) } }
}

async function* wantedOf(options: PlanOptions): AsyncGenerator<Planned> {
  const { image, reference } = options.wanted
  if (image !== undefined && reference !== undefined) return yield task(image, reference, options)
  const images = image === undefined ? await imagesOf(options) : [image]
  for (const image of images) yield* tagsOf(image, options)
}

async function imagesOf({ source, imageGlobs }: PlanOptions): Promise<readonly ImageName[]> {
  const listed = await persistently(() => source.images())
  if (listed)
    return listed.filter((image) => imageGlobs.length === 0 || imageGlobs.some((glob) => matchesGlob(glob, image)))
  if (imageGlobs.length > 0 && imageGlobs.every(isImageName)) return imageGlobs
  throw new Error(
    `${source.name} does not list its images to us: name them with --image, or log in as one who may see all`,
  )
}

async function* tagsOf(image: ImageName, options: PlanOptions): AsyncGenerator<Planned> {
  const { source, tagGlobs, takes } = options
  try {
    const tags = await persistently(() => source.tags(image))
    if (!tags) return yield { of: image, problem: 'the source has no such image' }
    for (const tag of tags.filter(
      (tag) => takes(tag) && (!tagGlobs || tagGlobs.some((glob) => matchesGlob(glob, tag))),
    ))
      yield task(image, { tag }, options)
  } catch (error) {
    yield { of: image, problem: `its tags cannot be listed: ${error instanceof Error ? error.message : String(error)}` }
  }
}

function task(image: ImageName, reference: Reference, options: PlanOptions): Task {
  return { from: { image, reference }, to: { image: targetImage(image, options), tag: tagIn(reference) } }
}

function targetImage(image: ImageName, { wanted, to, source }: PlanOptions): ImageName {
  if (to.image === undefined) return image
  const isOnlyOne = wanted.image !== undefined || image === source.unnamed
  return isOnlyOne ? to.image : parseImageName(`${to.image}/${image}`)
}

function tagIn(reference: Reference): Tag | undefined {
  return 'tag' in reference ? reference.tag : undefined
}

/** The reference that an image of a registry has when nothing else is said, as with docker. */
export const usualReference: Reference = { tag: parseTag('latest') }
