import { adminOf, adminPassword, startCaisson, type Caisson } from './caisson.ts'
import { startDistribution } from './distribution.ts'
import { FaultyUpstream } from './faulty-upstream.ts'
import { Machine } from './machine.ts'
import { imageOf, writeOciLayout } from './oci-layout.ts'
import { RegistryClient } from './registry-client.ts'
import { descriptor, type TinyImage } from './tiny-image.ts'

/** Remote repositories of every kind of upstream, and the product in front of them. */
export const remotes = ['distribution', 'behind-tokens', 'caisson-upstream'] as const
export type Remote = (typeof remotes)[number]

/**
 * Each upstream has `library/single:1`, and `team/multi:1` for linux/amd64 and linux/arm64. Clients reach the product by real names,
 * `<repository>.registry.test`, and verify its certificate.
 */
export interface CachingSite extends AsyncDisposable {
  readonly caisson: Caisson
  readonly machine: Machine
  /** What stands before the image. */
  prefix(repository: string): string
  readonly single: TinyImage
  /** Digest of the image for linux/amd64, and of the index. */
  readonly multi: { readonly amd64: string; readonly index: string }
  /** An image of the upstream behind tokens besides. */
  add(name: string, tag: string, image: TinyImage): void
  stopUpstreams(): Promise<void>
}

const index = 'application/vnd.oci.image.index.v1+json'
const login = { username: 'cache', password: 'open sesame' }

export async function openCachingSite(): Promise<CachingSite> {
  await using opened = new AsyncDisposableStack()
  const names = [...remotes, 'all', 'docker-local'].map((key) => `${key}.registry.test`)
  const machine = opened.use(await Machine.create(['registry.test', ...names]))
  const upstreams = opened.adopt(new AsyncDisposableStack(), (stack) => stack.disposeAsync())
  const distribution = upstreams.use(await startDistribution())
  const behindTokens = upstreams.use(await FaultyUpstream.start({ tokens: { login } }))
  const other = upstreams.use(await startCaisson({ config: otherConfig }))
  const caisson = opened.use(
    await startCaisson({
      config: configFor(distribution.port, behindTokens.url, other),
      env: { UPSTREAM_PASSWORD: login.password, OTHER_PASSWORD: adminPassword },
    }),
  )
  for (const name of ['registry.test', ...names])
    await machine.trust(`${name}:${caisson.ports[0]}`, caisson.authorityFile)

  const [single, amd64, arm64] = await Promise.all(['single', 'amd64', 'arm64'].map((name) => makeImage(machine, name)))
  if (!single || !amd64 || !arm64) throw new Error('images are missing')
  const multi = indexOf({ amd64, arm64 })
  for (const client of [plainClient(distribution.port), await adminOf(other)]) {
    await client.push('library/single', '1', single)
    for (const one of [amd64, arm64]) await client.push('team/multi', one === amd64 ? 'amd64' : 'arm64', one)
    const pushed = await client.putManifest('team/multi', '1', multi)
    if (pushed.status !== 201) throw new Error(pushed.body.toString())
  }
  behindTokens.content.push('library/single', '1', single)
  behindTokens.content.index('team/multi', '1', { 'linux/amd64': amd64, 'linux/arm64': arm64 })

  const site = opened.move()
  return {
    caisson,
    machine,
    prefix: (repository) => `${repository}.registry.test:${caisson.ports[0]}`,
    single,
    multi: { amd64: amd64.digest, index: multi.digest },
    add: (name, tag, image) => void behindTokens.content.push(name, tag, image),
    stopUpstreams: () => upstreams.disposeAsync(),
    [Symbol.asyncDispose]: () => site.disposeAsync(),
  }
}

/** Asks everybody to log in. */
const otherConfig = {
  gateway: { workers: 1, listeners: [{ port: 0 }, { port: 0, repository: 'docker-local' }] },
  registry: { anonymousAccess: false },
}

function configFor(port: number, behindTokens: string, other: Caisson): unknown {
  const often = { retrievalCachePeriodSecs: 0 }
  return {
    gateway: {
      workers: 2,
      listeners: [{ port: 0 }],
      hosts: { 'registry.test': { repositoryFrom: 'path' }, '*.registry.test': { repositoryFrom: 'host' } },
    },
    registry: {
      repositories: {
        'docker-local': { type: 'local' },
        distribution: { type: 'remote', url: `http://127.0.0.1:${port}`, ...often },
        'behind-tokens': {
          type: 'remote',
          url: behindTokens,
          username: login.username,
          password: { env: 'UPSTREAM_PASSWORD' },
          addLibrary: true,
          namespaces: ['docker.io'],
          ...often,
        },
        'caisson-upstream': {
          type: 'remote',
          url: `https://localhost:${other.ports[1]}`,
          ca: other.authorityFile,
          username: 'admin',
          password: { env: 'OTHER_PASSWORD' },
          ...often,
        },
        all: { type: 'virtual', members: ['docker-local', ...remotes], deployTo: 'docker-local' },
      },
    },
  }
}

/** Of layers that clients can unpack. */
export async function makeImage(machine: Machine, name: string): Promise<TinyImage> {
  return imageOf(await writeOciLayout(machine, name, '1'))
}

function indexOf(images: Readonly<Record<string, TinyImage>>): TinyImage {
  const manifests = Object.entries(images).map(([architecture, image]) => ({
    ...descriptor(image.mediaType, image.manifest),
    platform: { os: 'linux', architecture },
  }))
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: index, manifests }))
  return { mediaType: index, manifest, digest: descriptor(index, manifest).digest, blobs: [] }
}

function plainClient(port: number): RegistryClient {
  return new RegistryClient({ host: '127.0.0.1', port }, '/v2')
}
