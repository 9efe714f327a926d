import { execFile, fork, type ChildProcess } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, open, rename, rm, writeFile } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import pino from 'pino'
import { gatewaySection } from '../gateway/config.ts'
import { startGateway } from '../gateway/start.ts'
import { Progress } from '../registry/http/progress.ts'
import type { Growth } from '../registry/repositories/repository.ts'
import { makeCertificate, serveCertificate } from '../test/helpers/test-certificate.ts'
import { median } from './measure.ts'
import { usageOf } from './process-tree.ts'

// node bench/growing-pull.ts: what it costs that many clients read one file while it is written, against the same file when it
// is complete. CPU-seconds of the gateway, and of a process that writes the file and tells of it with the registry's own code.
const clients = 16
const size = 256 * 1024 * 1024
const pieceBytes = 64 * 1024
const rounds = 3
/** Bytes a second that the writer keeps to: faster than the clients, as fast, and slower. */
const speeds = [
  ['unpaced', Infinity],
  ['100-MiB', 100 * 1024 * 1024],
  ['20-MiB', 20 * 1024 * 1024],
] as const

const [role, directory = ''] = process.argv.slice(2)
if (role === 'gateway') await playGateway()
else if (role === 'registry') await playRegistry()
else await compare()

async function compare(): Promise<void> {
  const scratch = await mkdtemp(join(tmpdir(), 'caisson-growing-'))
  const registry = start('registry', scratch)
  await once(registry, 'message')
  const gateway = start('gateway', scratch)
  const [port] = (await once(gateway, 'message')) as [number]
  try {
    await writeFile(join(scratch, 'complete'), randomBytes(size))
    const measured = new Map<string, { gateway: number[]; registry: number[]; seconds: number[] }>()
    const names = ['complete', ...speeds.map(([name]) => name)]
    await pull(port, 'complete') // warm
    for (let round = 0; round < rounds; round++)
      for (const name of names) {
        const before = [gateway, registry].map((child) => cpuOf(child))
        const startedAt = performance.now()
        await pull(port, name)
        const seconds = (performance.now() - startedAt) / 1000
        const [ofGateway = 0, ofRegistry = 0] = [gateway, registry].map((child, at) => cpuOf(child) - (before[at] ?? 0))
        const row = measured.get(name) ?? { gateway: [], registry: [], seconds: [] }
        measured.set(name, row)
        row.gateway.push(ofGateway)
        row.registry.push(ofRegistry)
        row.seconds.push(seconds)
      }
    const base = median(measured.get('complete')?.gateway ?? [])
    for (const [name, row] of measured) {
      const [ofGateway, ofRegistry] = [median(row.gateway), median(row.registry)]
      const ratio = (ofGateway + ofRegistry) / base
      const figures = `gateway ${ofGateway.toFixed(2)} s, registry ${ofRegistry.toFixed(2)} s, wall ${median(row.seconds).toFixed(1)} s`
      console.log(`${name.padEnd(9)} ${figures}, ${ratio.toFixed(2)} x complete`)
    }
  } finally {
    for (const child of [gateway, registry]) child.kill()
    await rm(scratch, { recursive: true })
  }
}

function start(name: string, scratch: string): ChildProcess {
  const execArgv = ['--max-semi-space-size=2', '--initial-old-space-size=256', '--heap-growing-percent=500']
  return fork(fileURLToPath(import.meta.url), [name, scratch], { execArgv })
}

function cpuOf({ pid = 0 }: ChildProcess): number {
  return usageOf([pid]).cpuSeconds
}

/** All clients at once; the file begins to grow when the last of them has asked. */
async function pull(port: number, name: string): Promise<void> {
  const url = `https://localhost:${port}/v2/x/blobs/${name}`
  const options = ['--silent', '--fail', '--insecure', '-o', '/dev/null', '-w', '%{size_download}', url]
  const all = Array.from({ length: clients }, () => promisify(execFile)('curl', options))
  for (const { stdout } of await Promise.all(all)) if (Number(stdout) !== size) throw new Error(`${stdout} bytes came`)
}

async function playGateway(): Promise<void> {
  const gateway = await startGateway({
    config: gatewaySection.parse({
      listeners: [{ port: 0, repository: 'docker-local' }],
      accessLog: { file: 'off' },
      upstream: `unix:${join(directory, 'registry.sock')}`,
    }),
    certificates: serveCertificate(makeCertificate(['localhost'])),
    sendfileRoots: [directory],
    ticketKeys: randomBytes(48),
    log: pino({ level: 'warn' }),
  })
  process.send?.(gateway.listening[0]?.port)
}

async function playRegistry(): Promise<void> {
  const waiting = new Map<string, ServerResponse[]>()
  const server = createServer((request, response) => {
    const name = request.url?.split('/').pop() ?? ''
    response.setHeader('ETag', '"x"')
    response.setHeader('X-Sendfile', join(directory, name))
    if (name === 'complete') {
      response.end()
      return
    }
    const asked = [...(waiting.get(name) ?? []), response]
    waiting.set(name, asked)
    if (asked.length < clients) return
    waiting.delete(name)
    void grow(name, asked)
  })
  server.listen(join(directory, 'registry.sock'))
  await once(server, 'listening')
  process.send?.('ready')
}

/** Writes and hashes a file as a fetch from another registry does, and tells of it. */
async function grow(name: string, asked: readonly ServerResponse[]): Promise<void> {
  const path = join(directory, `growing-${name}`)
  const file = await open(path, 'w')
  let written = 0
  let change = Promise.withResolvers<undefined>()
  const growth: Pick<Growth, 'available'> = {
    async *available() {
      for (let told = -1; told < size;) {
        if (written === told) await change.promise
        told = written
        yield told
      }
    },
  }
  for (const response of asked) {
    response.writeHead(200, { 'X-Sendfile-Growing': path, 'X-Sendfile-Length': size })
    response.flushHeaders()
    pipeline(new Progress(growth, size), response, () => {})
  }
  const piece = randomBytes(pieceBytes)
  const hash = createHash('sha256')
  const bytesPerSecond = speeds.find(([speed]) => speed === name)?.[1] ?? Infinity
  const startedAt = performance.now()
  for (let at = 0; at < size; at += pieceBytes) {
    const earlyMs = (at / bytesPerSecond) * 1000 - (performance.now() - startedAt)
    if (earlyMs > 1) await pause(earlyMs)
    hash.update(piece)
    await file.write(piece)
    if (at + pieceBytes === size) {
      hash.digest()
      await rename(path, join(directory, name))
    }
    written = at + pieceBytes
    change.resolve(undefined)
    change = Promise.withResolvers<undefined>()
  }
  await file.close()
}
