import { text } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import { Command, Option } from 'commander'
import { loadConfig } from './config.ts'
import { askRegistry, messageOf } from './running-registry.ts'
import { withOwnToken } from './with-own-token.ts'

const lookEveryMs = 500

interface Options {
  readonly format: string
  readonly dropLibrary: boolean
  readonly watch: boolean
  readonly user: string
}

/** Asks the registry that runs on this machine, which does the work: it goes on when the command is ended. */
export function migrateCommand(): Command {
  return new Command('migrate')
    .description('have a running registry give a V2 repository what a V1 repository has')
    .argument('<source>', 'like docker-v1, docker-v1/jfrog/ubuntu or docker-v1/jfrog/ubuntu:12.04')
    .argument('<target>', 'key of the V2 repository')
    .addOption(
      new Option('--format <format>', 'of the manifests; schema1 is for docker before 1.10')
        .choices(['schema2', 'schema1'])
        .default('schema2'),
    )
    .option('--drop-library', 'library/ubuntu becomes ubuntu, as docker asks for it by the V2 API', false)
    .option('--watch', 'tell of each tag when it is done', false)
    .option('--user <name>', 'in whose name', 'admin')
    .action(async (source: string, target: string, options: Options, command: Command) => {
      const { key, image, tag } = parseSource(source, command)
      const config = await loadConfig(command.optsWithGlobals())
      const { format, dropLibrary, watch, user } = options
      await withOwnToken(command, { user, description: 'caisson migrate' }, async (token) => {
        const path = `/api/docker/${encodeURIComponent(key)}/v1/migrate`
        const ask = async (question: { readonly below?: string; readonly body?: object }): Promise<Told> => {
          const { below = '', body } = question
          const method = body ? 'POST' : 'GET'
          const answer = await askRegistry(config, token, { method, path: path + below, ...(body && { body }) })
          const said = await text(answer)
          if ((answer.statusCode ?? 0) >= 300) throw new Error(`${source}: ${messageOf(said)}`)
          return JSON.parse(said) as Told
        }
        const library = dropLibrary ? 'drop' : 'keep'
        const wish = { targetRepo: target, dockerRepository: image, tag, format, library, async: true }
        report(await untilEnded(await ask({ body: wish }), async (id) => ask({ below: `/${id}` }), { watch }), source)
      })
    })
}

function parseSource(source: string, command: Command) {
  const [, key, image = '', tag = ''] = /^([^/:@]+)(?:\/([^:@]+)(?::([^/:@]+))?)?$/.exec(source) ?? []
  if (key !== undefined) return { key, image, tag }
  return command.error(`error: "${source}" is not <repository key>[/<image>[:<tag>]]`)
}

interface Told {
  readonly id: string
  readonly state: 'running' | 'done' | 'broken off'
  readonly migrated: number
  readonly thereAlready: number
  readonly failed: number
  readonly tags: readonly { readonly image: string; readonly tag: string; outcome: string; readonly reason?: string }[]
}

async function untilEnded(
  begun: Told,
  look: (id: string) => Promise<Told>,
  { watch }: Pick<Options, 'watch'>,
): Promise<Told> {
  let [told, shown] = [begun, 0]
  for (;;) {
    const news = told.tags.slice(shown)
    shown = told.tags.length
    for (const { image, tag, outcome, reason } of news)
      if (watch || reason !== undefined) console.log(`${image}:${tag}: ${reason ?? outcome}`)
    if (told.state !== 'running') return told
    await setTimeout(lookEveryMs)
    told = await look(told.id)
  }
}

function report({ state, migrated, thereAlready, failed }: Told, source: string): void {
  console.log(`${source}: ${migrated} migrated, ${thereAlready} were there already, ${failed} failed`)
  if (state === 'broken off') throw new Error(`${source}: the registry broke it off: run the command again to go on`)
  if (failed > 0) process.exitCode = 1
}
