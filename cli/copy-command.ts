import { Command } from 'commander'
import { join } from 'node:path'
import { openRequests } from '../registry/repositories/upstream/open-requests.ts'
import { openPushClient } from '../registry/repositories/upstream/push-client.ts'
import type { Copier } from './copy/copier.ts'
import { addCopyOptions, copyTo, imageCopy, wantedOf, type CopyOptions } from './copy/copy-options.ts'
import { nobodyWatches } from './copy/open-source.ts'
import { PackedLayers } from './copy/packed-layers.ts'
import { parsePlace, type Place } from './copy/place.ts'
import { addRegistryOptions, registryOptions, remoteConfigOf, requestsOptionsOf } from './copy/registry-options.ts'
import type { Source } from './copy/source.ts'
import { V1Copy } from './copy/v1-copy.ts'
import { fromManifests } from './copy/v1-from-manifest.ts'
import { fromV1 } from './copy/v1-pushable.ts'
import { V1Requests } from './copy/v1-requests.ts'
import { V1Target } from './copy/v1-target.ts'

interface Options extends CopyOptions {
  readonly platform?: string
}

/** Needs no registry of ours, and no data directory. */
export function copyCommand(): Command {
  const command = new Command('copy')
    .description('copy images with all that belongs to them to a registry; repeated, it goes on where it was')
    .argument('<source>', 'docker://host[:port][/image[:tag|@digest]], docker-v1://…, docker-registry:/path, …')
    .argument('<target>', 'docker://host[:port][/image[:tag]], docker-v1://…')
    .option(
      '--platform <platform>',
      'to the V1 API, which has one image for each tag: like linux/arm64 (default: linux/amd64)',
    )
  return addRegistryOptions(addCopyOptions(command), 'target').action(
    async (from: string, to: string, options: Options, command: Command) => {
      const [source, target] = [parsePlace(from), parsePlace(to)]
      if (!('host' in target))
        throw new Error(`"${to}" cannot be copied to: expected docker://host[:port][/image], or docker-v1://…`)
      await using opened = new AsyncDisposableStack()
      const copier = await openTarget(target, options, { opened, all: command.opts() })
      await copyTo(copier, { source, wanted: wantedOf(source, options), target, options, all: command.opts() })
    },
  )
}

interface Opening {
  readonly opened: AsyncDisposableStack
  readonly all: Readonly<Record<string, unknown>>
}

async function openTarget(
  { kind, host }: Extract<Place, { readonly host: string }>,
  options: Options,
  { opened, all }: Opening,
): Promise<(source: Source) => Copier> {
  const registry = registryOptions(all, 'target')
  const [config, wish] = [remoteConfigOf(host, registry), await requestsOptionsOf(registry, 'target')]
  if (kind === 'docker-v1') {
    const requests = new V1Requests(await openRequests(config, nobodyWatches, wish), wish.login)
    return await toV1(opened.use(new V1Target(requests)), options, opened)
  }
  if (options.platform !== undefined) throw new Error('--platform is for docker-v1://: to others go all platforms')
  const client = opened.use(await openPushClient(config, nobodyWatches, wish))
  return imageCopy(client, options)
}

async function toV1(target: V1Target, { scratch, platform }: Options, opened: AsyncDisposableStack) {
  // A source has files of its own in there.
  const layers = opened.use(await PackedLayers.open(scratch === undefined ? undefined : join(scratch, 'v1')))
  return (source: Source) =>
    new V1Copy({ find: source.v1 ? fromV1(source.v1) : fromManifests(source, layers, platform), target })
}
