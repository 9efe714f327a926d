import { fork } from 'node:child_process'
import cluster from 'node:cluster'
import { randomBytes } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Logger } from 'pino'
import { ensureSelfSigned } from '../certs/self-signed.ts'
import { certificateHosts } from './certificate-hosts.ts'
import type { CaissonConfig } from './config.ts'
import { makeDirectories } from './data-directory.ts'
import type { Order, Readiness } from './messages.ts'
import { SupervisedProcess } from './supervised-process.ts'

export interface ServeOptions {
  readonly config: CaissonConfig
  /** For the user `admin`, if this is the first start. */
  readonly adminPassword?: string | undefined
  /** `gateway`: without the registry, in front of somebody else's. */
  readonly only?: 'gateway'
  readonly log: Logger
}

export interface Serving {
  /** Of the gateway's listeners, in their order. */
  readonly ports: readonly number[]
  readonly firstAdmin: Readiness['firstAdmin']
  reopenLogs(): void
  /** Lets transfers in flight finish, for as long as `gateway.drainSeconds`. */
  stop(): Promise<void>
  kill(): void
}

const launcher = fileURLToPath(new URL('./caisson.js', import.meta.url))
const workerArguments = ['worker']
/**
 * The pieces of a body are memory outside of V8's heap, which V8 counts but does not look at. With its own settings it walks the
 * whole heap after every 16 to 32 MiB of them, half of the CPU time of a push. With a small young generation they are found and
 * freed before that, and a heap that may grow this far is not walked while nothing else is in want of it.
 */
const workerOptions = ['--max-semi-space-size=2', '--initial-old-space-size=256', '--heap-growing-percent=500']
const ticketKeyLifeMs = 12 * 60 * 60 * 1000
/** A gateway ends by itself after drainSeconds; a process that has not ended so much later is killed. */
const patienceMs = 5_000
/** Its clients, the gateway workers, are gone by then. */
const registryStopMs = 10_000
const renewalCheckMs = 12 * 60 * 60 * 1000

/**
 * The composition root: one registry process, N gateway workers that share their ports and their TLS ticket keys, and
 * the clock that renews certificates. Rejects, with everything ended again, when something cannot start.
 */
export async function serve({ config, adminPassword, only, log }: ServeOptions): Promise<Serving> {
  await makeDirectories(config)
  let certificates: { stop(): void } | undefined
  let gatewayConfig = config
  let ticketKeys = randomBytes(48).toString('base64')

  const registry = new SupervisedProcess({
    name: 'registry',
    fork: () => fork(launcher, workerArguments, { execArgv: workerOptions }),
    order: (): Order => ({ start: 'registry', config, adminPassword }),
    log,
  })
  cluster.setupPrimary({ exec: launcher, args: workerArguments, execArgv: workerOptions })
  cluster.schedulingPolicy = cluster.SCHED_NONE // the workers accept by themselves: no hop through this process
  const workers = Array.from(
    { length: config.gateway.workers ?? availableParallelism() },
    (_, index) =>
      new SupervisedProcess({
        name: `gateway ${index + 1}`,
        fork: () => cluster.fork().process,
        order: (): Order => ({ start: 'gateway', config: gatewayConfig, ticketKeys }),
        log,
      }),
  )
  const processes = only === 'gateway' ? workers : [registry, ...workers]
  const rotation = setInterval(() => {
    ticketKeys = randomBytes(48).toString('base64')
    for (const worker of workers) worker.send({ ticketKeys })
  }, ticketKeyLifeMs)

  const kill = () => {
    clearInterval(rotation)
    certificates?.stop()
    for (const supervised of processes) supervised.kill()
  }
  try {
    const { firstAdmin } = only === 'gateway' ? {} : await registry.start()
    // Not before: where the registry of another one runs, its certificates are no business of ours.
    certificates = await keepCertificates(config, log)
    const [first] = await Promise.all(workers.map((worker) => worker.start()))
    const ports = first?.ports ?? []
    gatewayConfig = withPorts(config, ports)
    return {
      ports,
      firstAdmin,
      reopenLogs: () => workers.forEach((worker) => worker.send({ reopenLogs: true })),
      stop: async () => {
        clearInterval(rotation)
        certificates?.stop()
        await Promise.all(workers.map((worker) => worker.stop(config.gateway.drainSeconds * 1000 + patienceMs)))
        if (only !== 'gateway') await registry.stop(registryStopMs)
      },
      kill,
    }
  } catch (error) {
    kill()
    throw error
  }
}

/** A worker that starts again takes the port that a 0 turned out to be. */
function withPorts(config: CaissonConfig, ports: readonly number[]): CaissonConfig {
  const listeners = config.gateway.listeners.map((listener, index) => ({
    ...listener,
    port: ports[index] ?? listener.port,
  }))
  return { ...config, gateway: { ...config.gateway, listeners } }
}

/** Makes and renews the self-signed certificate; the workers notice a new one by themselves. */
async function keepCertificates(config: CaissonConfig, log: Logger): Promise<{ stop(): void }> {
  if (config.gateway.certificates !== 'selfSigned') return { stop: () => {} }
  const ensure = async () => {
    const directory = join(config.dataDirectory, 'certs')
    const done = await ensureSelfSigned({ directory, hosts: certificateHosts(config) })
    const first = done.authority === 'made'
    if (done.because !== undefined && !first)
      log.info({ because: done.because, validTo: done.validTo }, 'a certificate was made')
  }
  await ensure()
  const timer = setInterval(() => {
    ensure().catch((error: unknown) => log.error({ err: error }, 'the certificate could not be renewed'))
  }, renewalCheckMs)
  return { stop: () => clearInterval(timer) }
}
