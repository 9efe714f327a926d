import { InvalidArgumentError, type Command } from 'commander'
import type { Copier } from './copier.ts'
import { copyAll, describe, describeTotals } from './copying.ts'
import { ImageCopy } from './image-copy.ts'
import { openSource } from './open-source.ts'
import type { Place, Wanted } from './place.ts'
import { usualReference } from './plan.ts'
import { addRegistryOptions, registryOptions } from './registry-options.ts'
import type { Source } from './source.ts'
import type { Target } from './target.ts'

/** What `caisson copy` and `caisson import` have in common. */
export interface CopyOptions {
  readonly allTags: boolean
  readonly tag?: readonly string[]
  readonly image?: readonly string[]
  readonly referrers: boolean
  readonly dryRun: boolean
  readonly json: boolean
  readonly jobs: number
  readonly scratch?: string
}

const usualJobs = 4

export function addCopyOptions(command: Command): Command {
  const common = command
    .option('--all-tags', 'of one image of a registry, all tags', false)
    .option('--tag <glob...>', 'tags that match one of these, like 1.*')
    .option('--image <glob...>', 'of a whole registry, images that match one of these, like team/*')
    .option('--no-referrers', 'leave out signatures and whatever else refers to an image')
    .option('--dry-run', 'compare alone', false)
    .option('--json', 'each line as a JSON object', false)
    .option('--jobs <n>', 'how many images at a time, and how many blobs', parseJobs, usualJobs)
    .option('--scratch <directory>', 'for layers that are rewritten, kept for the next run (default: a temporary one)')
  return addRegistryOptions(common, 'source')
}

function parseJobs(text: string): number {
  const jobs = Number(text)
  if (Number.isInteger(jobs) && jobs >= 1 && jobs <= 64) return jobs
  throw new InvalidArgumentError('expected a number from 1 to 64')
}

/** An image of a registry that names no tag is that of `latest`, as with docker; files hold what they hold. */
export function wantedOf(source: Place, { allTags, tag }: CopyOptions): Wanted {
  if (!('host' in source)) return { image: undefined, reference: undefined }
  const { image, reference } = source
  const isTold = reference !== undefined || allTags || tag !== undefined
  return { image, reference: image === undefined || isTold ? reference : usualReference }
}

/** To a registry of the V2 API. */
export function imageCopy(target: Target, { jobs, referrers }: CopyOptions): (source: Source) => Copier {
  return (source) => new ImageCopy({ source, target, jobs, referrers: referrers ? 'with' : 'without' })
}

interface Copy {
  readonly source: Place
  readonly wanted: Wanted
  readonly target: Wanted
  readonly options: CopyOptions
  /** As they came, for the login at the source. */
  readonly all: Readonly<Record<string, unknown>>
}

/** Tells of each image on standard output, and of all at the end on standard error. The exit code is 1 when something has failed. */
export async function copyTo(
  copier: (source: Source) => Copier,
  { source: place, wanted, target, options, all }: Copy,
): Promise<void> {
  await using source = await openSource(place, {
    registry: registryOptions(all, 'source'),
    unnamed: target.image,
    scratch: options.scratch,
  })
  const totals = await copyAll({
    source,
    copier: copier(source),
    wanted,
    to: target,
    imageGlobs: options.image ?? [],
    tagGlobs: options.tag,
    jobs: options.jobs,
    dryRun: options.dryRun ? 'dry run' : undefined,
    tell: (line) => console.log(options.json ? JSON.stringify(line) : describe(line)),
  })
  console.error(options.json ? JSON.stringify(totals) : describeTotals(totals))
  if (totals.failed > 0) process.exitCode = 1
}
