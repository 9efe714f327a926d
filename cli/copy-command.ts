import { Command } from 'commander'
import { openPushClient } from '../registry/repositories/upstream/push-client.ts'
import { addCopyOptions, copyTo, wantedOf, type CopyOptions } from './copy/copy-options.ts'
import { nobodyWatches } from './copy/open-source.ts'
import { parsePlace } from './copy/place.ts'
import { addRegistryOptions, registryOptions, remoteConfigOf, requestsOptionsOf } from './copy/registry-options.ts'

/** Needs no registry of ours, and no data directory. */
export function copyCommand(): Command {
  const command = new Command('copy')
    .description('copy images with all that belongs to them to a registry; repeated, it goes on where it was')
    .argument('<source>', 'docker://host[:port][/image[:tag|@digest]], docker-v1://…, docker-registry:/path, …')
    .argument('<target>', 'docker://host[:port][/image[:tag]]')
  return addRegistryOptions(addCopyOptions(command), 'target').action(
    async (from: string, to: string, options: CopyOptions, command: Command) => {
      const [source, target] = [parsePlace(from), parsePlace(to)]
      if (target.kind !== 'docker')
        throw new Error(`"${to}" cannot be copied to: expected docker://host[:port][/image]`)
      const registry = registryOptions(command.opts(), 'target')
      await using client = await openPushClient(
        remoteConfigOf(target.host, registry),
        nobodyWatches,
        await requestsOptionsOf(registry, 'target'),
      )
      await copyTo(client, { source, wanted: wantedOf(source, options), target, options, all: command.opts() })
    },
  )
}
