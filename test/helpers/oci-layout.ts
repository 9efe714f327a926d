import { createHash } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { incompressible } from './build-context.ts'
import type { Machine } from './machine.ts'
import { attempt } from './program.ts'
import type { TinyImage } from './tiny-image.ts'

/** An image of two layers as an OCI image layout, made by no client, for those that only copy. */
export interface OciLayout {
  readonly directory: string
  /** The same as one tar file. */
  readonly archive: string
  readonly manifestDigest: string
  readonly configDigest: string
}

const mediaTypes = {
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
} as const

interface Descriptor {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
}

/** As one would push it. */
export async function imageOf({ directory, manifestDigest }: OciLayout): Promise<TinyImage> {
  const read = (digest: string) => readFile(join(directory, 'blobs', digest.replace(':', '/')))
  const manifest = await read(manifestDigest)
  const { config, layers } = JSON.parse(manifest.toString()) as { config: Descriptor; layers: readonly Descriptor[] }
  const blobs = await Promise.all([config, ...layers].map(({ digest }) => read(digest)))
  return { mediaType: mediaTypes.manifest, manifest, digest: manifestDigest, blobs }
}

/** Each layer has a few bytes, and as many of noise as `layerBytes` says. */
export async function writeOciLayout(machine: Machine, name: string, tag: string, layerBytes = 0): Promise<OciLayout> {
  const directory = join(machine.directory, 'files', `${name}.oci`)
  await mkdir(join(directory, 'blobs', 'sha256'), { recursive: true })

  const tars = await Promise.all(
    ['first', 'second'].map(async (layer) => tarOf(machine, `${name}-${layer}`, layerBytes)),
  )
  const layers = await Promise.all(tars.map(async (tar) => store(directory, mediaTypes.layer, gzipSync(tar))))
  const rootfs = { type: 'layers', diff_ids: tars.map(digestOf) }
  const config = await storeJson(directory, mediaTypes.config, {
    architecture: 'amd64',
    os: 'linux',
    config: {},
    rootfs,
  })
  const content = { schemaVersion: 2, mediaType: mediaTypes.manifest, config, layers }
  const manifest = await storeJson(directory, mediaTypes.manifest, content)

  const entry = { ...manifest, annotations: { 'org.opencontainers.image.ref.name': tag } }
  await writeFile(join(directory, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [entry] }))
  await writeFile(join(directory, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }))
  const archive = `${directory}.tar`
  await machine.run('tar', ['-C', directory, '-cf', archive, '.'])
  return { directory, archive, manifestDigest: manifest.digest, configDigest: config.digest }
}

async function tarOf(machine: Machine, name: string, noiseBytes: number): Promise<Uint8Array> {
  const directory = join(machine.directory, 'files', name)
  await mkdir(directory, { recursive: true })
  await writeFile(join(directory, name), `${name} of an image that no client has made\n`)
  // As text, since what a program prints is read as such; compressed it is half as long again.
  if (noiseBytes > 0) await writeFile(join(directory, 'noise'), incompressible(name, noiseBytes).toString('hex'))
  const reproducible = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner']
  const { stdout } = await attempt('tar', ['-C', directory, ...reproducible, '-cf', '-', '.'])
  return Buffer.from(stdout)
}

async function storeJson(directory: string, mediaType: string, content: unknown): Promise<Descriptor> {
  return store(directory, mediaType, Buffer.from(JSON.stringify(content)))
}

async function store(directory: string, mediaType: string, bytes: Uint8Array): Promise<Descriptor> {
  const digest = digestOf(bytes)
  await writeFile(join(directory, 'blobs', digest.replace(':', '/')), bytes)
  return { mediaType, digest, size: bytes.length }
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}
