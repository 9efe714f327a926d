import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { Agent } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import { RegistryClient } from './registry-client.ts'

const launcher = fileURLToPath(new URL('../../cli/caisson.js', import.meta.url))

export interface Caisson extends AsyncDisposable {
  /** Of gateway.listeners, in their order. */
  readonly ports: readonly number[]
  readonly dataDirectory: string
  readonly adminPassword: string
  /** Certificate of the authority that signed the gateway's, PEM. */
  readonly authorityFile: string
  readonly process: ChildProcess
  /** SIGTERM, and wait. */
  stop(): Promise<void>
  /** What it has printed so far. */
  log(): string
}

export interface CaissonOptions {
  /** Content of the configuration file; ports may be 0. Default: two TLS listeners, see {@link usualConfig}. */
  readonly config?: unknown
  /** Kept afterwards when given; else a temporary one that goes with the process. */
  readonly dataDirectory?: string
  readonly command?: 'serve' | 'gateway'
  /** cli/caisson.js of another checkout. */
  readonly launcher?: string
  readonly env?: Readonly<Record<string, string>>
}

export const adminPassword = 'correct horse battery'

/** Listener 0: by host name and by path; listener 1: docker-local. */
export function usualConfig(hosts: Readonly<Record<string, unknown>> = {}): unknown {
  return {
    gateway: {
      workers: 2,
      listeners: [{ port: 0 }, { port: 0, repository: 'docker-local' }],
      hosts: { localhost: { repositoryFrom: 'path' }, '*.localhost': { repositoryFrom: 'host' }, ...hosts },
    },
  }
}

/** Starts the real product as its own process, as `npm start` does, and resolves when it serves. */
export async function startCaisson(options: CaissonOptions = {}): Promise<Caisson> {
  const scratch = await mkdtemp(join(tmpdir(), 'caisson-'))
  const dataDirectory = options.dataDirectory ?? join(scratch, 'data')
  const file = join(scratch, 'caisson.yaml')
  await writeFile(file, stringify(options.config ?? usualConfig()))
  const process_ = spawn(
    process.execPath,
    [options.launcher ?? launcher, options.command ?? 'serve', '--config', file, '--data', dataDirectory],
    {
      env: { ...process.env, CAISSON_ADMIN_PASSWORD: adminPassword, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  let output = ''
  process_.stdout.on('data', (text: Buffer) => (output += text.toString()))
  const exited = once(process_, 'exit')
  const ready = Promise.withResolvers<readonly number[]>()
  createInterface({ input: process_.stderr }).on('line', (line) => {
    output += `${line}\n`
    const ports = portsWhenReady(line)
    if (ports) ready.resolve(ports)
  })
  void exited.then(() => ready.reject(new Error(`caisson ended before it was ready:\n${output}`)))

  const stop = async () => {
    process_.kill('SIGTERM')
    await exited
  }
  return {
    ports: await ready.promise,
    dataDirectory,
    adminPassword,
    authorityFile: join(dataDirectory, 'certs', 'ca.crt'),
    process: process_,
    stop,
    log: () => output,
    [Symbol.asyncDispose]: async () => {
      await stop()
      await rm(scratch, { recursive: true, force: true })
    },
  }
}

function portsWhenReady(line: string): readonly number[] | undefined {
  if (!line.startsWith('{')) return undefined
  const entry = JSON.parse(line) as { readonly msg?: string; readonly ports?: readonly number[] }
  return entry.msg === 'ready' ? entry.ports : undefined
}

export async function authorityOf(caisson: Caisson): Promise<string> {
  return await readFile(caisson.authorityFile, 'utf8')
}

/** The admin's client of listener 1: docker-local, through the gateway. Connections are kept. */
export async function adminOf(caisson: Caisson): Promise<RegistryClient> {
  const agent = new Agent({ ca: await authorityOf(caisson), servername: 'localhost', keepAlive: true })
  const where = { host: '127.0.0.1', port: caisson.ports[1] ?? 0, agent }
  return new RegistryClient(where, '/v2').as({ name: 'admin', password: caisson.adminPassword })
}
