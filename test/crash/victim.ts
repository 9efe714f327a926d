import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import { start, type Running } from '../helpers/program.ts'
import type { RegistryClient } from '../helpers/registry-client.ts'
import { FileOperations, type Point } from './file-operations.ts'
import type { Remote } from './origin.ts'
import { adminOf } from './verify.ts'

/** Half of the time that a start takes is spent on stripping types. */
const compileCache = fileURLToPath(new URL('../../node_modules/.cache/crash/compiled', import.meta.url))
const launcher = fileURLToPath(new URL('../../cli/caisson.js', import.meta.url))

/** Whether garbage goes as soon as somebody asks for it; nobody else does. */
export type Grace = 'none' | 'a day'

export interface VictimOptions {
  /** Made when missing. */
  readonly dataDirectory: string
  /** For files of the harness; not the data directory. */
  readonly scratch: string
  readonly grace?: Grace
  readonly abandonedUploads?: string
  /** Section of the remote repository `hub`. Default: there is none. */
  readonly remote?: Remote | undefined
  readonly record?: boolean
  /** To die while it starts. */
  readonly killAt?: Point | undefined
  readonly env?: Readonly<Record<string, string>>
}

/** The real registry as its own process, of which every file operation is known. */
export interface Victim extends AsyncDisposable {
  readonly client: RegistryClient
  readonly files: FileOperations
  readonly process: Running
  /** False: it died while it started. */
  readonly ready: boolean
}

export async function startVictim(options: VictimOptions): Promise<Victim> {
  const { dataDirectory, scratch, grace = 'a day', record = false, killAt, env = {} } = options
  const config = join(scratch, 'caisson.yaml')
  await writeFile(config, stringify({ registry: section(grace, options) }))

  await using started = new AsyncDisposableStack()
  const files = started.use(new FileOperations(scratch, dataDirectory, { record }))
  if (killAt) files.killAt(killAt)
  const args = [launcher, 'registry', '--config', config, '--data', dataDirectory]
  const process_ = started.use(
    start(process.execPath, args, {
      env: { NODE_COMPILE_CACHE: compileCache, ...files.env, ...env },
      name: 'caisson registry',
    }),
  )
  const ready = await isReady(process_, killAt !== undefined)
  const client = await adminOf(dataDirectory)
  const running = started.move()
  return { client, files, process: process_, ready, [Symbol.asyncDispose]: () => running.disposeAsync() }
}

function section(grace: Grace, { abandonedUploads = '24h', remote }: VictimOptions): unknown {
  const short = grace === 'none'
  return {
    garbageCollection: { grace: short ? '1ms' : '24h', every: '20d', abandonedUploads },
    repositories: {
      'docker-local': { type: 'local', keepUntagged: short ? '1ms' : '7d' },
      'docker-v1': { type: 'local', apiVersion: 'v1' },
      ...(remote && { hub: remote }),
    },
  }
}

async function isReady(process_: Running, mayDie: boolean): Promise<boolean> {
  try {
    await process_.says(/"msg":"ready"/)
    return true
  } catch (error) {
    if (!mayDie) throw error
    return false
  }
}
