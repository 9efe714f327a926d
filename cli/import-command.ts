import { Command } from 'commander'
import { isRepositoryKey } from '../registry/domain/names.ts'
import { parseListenAddress } from '../registry/http/listen-address.ts'
import { openPushClient, type PushClient } from '../registry/repositories/upstream/push-client.ts'
import { loadConfig, type CaissonConfig } from './config.ts'
import { addCopyOptions, copyTo, imageCopy, wantedOf, type CopyOptions } from './copy/copy-options.ts'
import { nobodyWatches } from './copy/open-source.ts'
import { parsePlace, parseWanted, type Wanted } from './copy/place.ts'
import { remoteConfigOf } from './copy/registry-options.ts'
import { withOwnToken } from './with-own-token.ts'

interface Options extends CopyOptions {
  readonly user: string
}

/** Asks the registry that runs on this machine, as any client would. */
export function importCommand(): Command {
  const command = new Command('import')
    .description('copy images, also from files, into a repository of the registry that runs on this machine')
    .argument('<source>', 'docker-registry:/path, distribution:/path, docker-archive:/file.tar, oci:/path, docker://…')
    .argument('<repository>', 'its key, or like docker-local/team: what stands before the names of the images')
    .option('--user <name>', 'in whose name', 'admin')
  return addCopyOptions(command).action(async (from: string, to: string, options: Options, command: Command) => {
    const source = parsePlace(from)
    const { key, target } = parseTarget(to)
    const config = await loadConfig(command.optsWithGlobals())
    await withOwnToken(command, { user: options.user, description: 'caisson import' }, async (token) => {
      await using client = await openRunning(config, key, { username: options.user, password: token })
      const copier = imageCopy(client, options)
      await copyTo(copier, { source, wanted: wantedOf(source, options), target, options, all: command.opts() })
    })
  })
}

function parseTarget(text: string): { readonly key: string; readonly target: Wanted } {
  const [, key = '', path] = /^([^/]+)\/?(.*)$/s.exec(text) ?? []
  if (!isRepositoryKey(key)) throw new Error(`"${text}": expected a repository key, and perhaps /image or /image:tag`)
  return { key, target: path ? parseWanted(path) : { image: undefined, reference: undefined } }
}

async function openRunning(
  { registry }: CaissonConfig,
  key: string,
  login: { readonly username: string; readonly password: string },
): Promise<PushClient> {
  const address = parseListenAddress(registry.listen[0] ?? '')
  const host = address.kind === 'unix' ? 'localhost' : `${address.address}:${address.port}`
  const remote = remoteConfigOf(host, {
    plainHttp: true,
    insecure: false,
    context: `${registry.context}/api/docker/${key}`,
    tokenRealm: [],
  })
  // The token is good at once for each request: no other need be fetched for it.
  return await openPushClient({ ...remote, enableTokenAuthentication: false }, nobodyWatches, {
    login: { kind: 'password', ...login },
    socketPath: address.kind === 'unix' ? address.path : undefined,
  })
}
