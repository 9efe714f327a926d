import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { Command } from 'commander'
import { formatSize } from '../registry/domain/size.ts'
import { loadConfig, type CaissonConfig } from './config.ts'
import { askRegistry, messageOf } from './running-registry.ts'
import { withOwnToken } from './with-own-token.ts'

interface Options {
  readonly platform?: readonly string[]
  readonly user: string
}

/** Asks the registry that runs on this machine. */
export function pullThroughCommand(): Command {
  return new Command('pull-through')
    .description('have a running registry fetch images into a remote repository before anybody pulls them')
    .argument('<image...>', 'like docker-hub/library/nginx:1.27; in the tag, * stands for any characters')
    .option('--platform <platform...>', 'of a multi-platform image, like linux/amd64 (default: all)')
    .option('--user <name>', 'in whose name', 'admin')
    .action(async (images: readonly string[], options: Options, command: Command) => {
      const wanted = images.map((image) => parseImage(image, command))
      const config = await loadConfig(command.optsWithGlobals())
      await withOwnToken(command, { user: options.user, description: 'caisson pull-through' }, async (token) => {
        for (const one of wanted) await pull(config, token, { ...one, platforms: options.platform })
      })
    })
}

interface Wanted {
  readonly text: string
  readonly key: string
  readonly image: string
  readonly tag: string
}

function parseImage(text: string, command: Command): Wanted {
  const [, key, image, tag = 'latest'] = /^([^/:@]+)\/([^:@]+)(?::([^/:@]+))?$/.exec(text) ?? []
  if (key !== undefined && image !== undefined) return { text, key, image, tag }
  return command.error(`error: "${text}" is not <repository key>/<image>:<tag>`)
}

async function pull(
  config: CaissonConfig,
  token: string,
  { text: name, key, image, tag, platforms }: Wanted & { readonly platforms: readonly string[] | undefined },
): Promise<void> {
  const answer = await askRegistry(config, token, {
    method: 'POST',
    path: `/api/docker/${encodeURIComponent(key)}/pull-through`,
    body: { image, tags: [tag], ...(platforms && { platforms }) },
  })
  if (answer.statusCode !== 200) throw new Error(`${name}: ${messageOf(await text(answer))}`)
  const sum = { fetched: 0, there: 0, bytes: 0 }
  for await (const line of createInterface(answer)) {
    const told = JSON.parse(line) as Told
    if ('done' in told) {
      if (!told.done) throw new Error(`${name}: ${told.message ?? 'not all of it could be had'}`)
      console.log(`${name}: ${sum.fetched} fetched (${formatSize(sum.bytes)}), ${sum.there} were there already`)
      return
    }
    if (told.cache === 'miss') sum.fetched += 1
    else sum.there += 1
    if (told.cache === 'miss') sum.bytes += told.size
  }
  throw new Error(`${name}: the registry broke off; what it has begun it may still finish`)
}

type Told =
  | { readonly done: boolean; readonly message?: string }
  | { readonly kind: string; readonly digest: string; readonly size: number; readonly cache: string }
