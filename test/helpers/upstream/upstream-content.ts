import { pipeline } from 'node:stream/promises'
import { HashingSink, patternBytes, patternChunks } from '../pattern-bytes.ts'
import { descriptor, digestOfBytes, type TinyImage } from '../tiny-image.ts'

/** Bytes that need not be in memory. */
export interface Body {
  readonly size: number
  from(first: number): Iterable<Uint8Array>
}

export interface UpstreamManifest {
  readonly mediaType: string
  readonly bytes: Uint8Array
}

interface UpstreamImage {
  readonly manifests: Map<string, UpstreamManifest>
  readonly tags: Map<string, string>
  readonly blobs: Map<string, Body>
}

export const ociIndex = 'application/vnd.oci.image.index.v1+json'
export const dockerList = 'application/vnd.docker.distribution.manifest.list.v2+json'

/** The images of a registry for tests. Whatever is added is there at once; each method gives the digest. */
export class UpstreamContent {
  readonly images = new Map<string, UpstreamImage>()

  image(name: string): UpstreamImage {
    const known = this.images.get(name) ?? { manifests: new Map(), tags: new Map(), blobs: new Map() }
    this.images.set(name, known)
    return known
  }

  push(name: string, tag: string, image: TinyImage): string {
    for (const blob of image.blobs) this.blob(name, blob)
    return this.manifest(name, { mediaType: image.mediaType, bytes: image.manifest }, tag)
  }

  /** `digest` need not be right. */
  manifest(name: string, manifest: UpstreamManifest, tag?: string, digest = digestOfBytes(manifest.bytes)): string {
    this.image(name).manifests.set(digest, manifest)
    if (tag !== undefined) this.image(name).tags.set(tag, digest)
    return digest
  }

  /** Of several platforms: the images by platform, as `linux/amd64`. */
  index(name: string, tag: string, images: Readonly<Record<string, TinyImage>>, mediaType = ociIndex): string {
    const manifests = Object.entries(images).map(([platform, image]) => {
      const [os, architecture] = platform.split('/')
      for (const blob of image.blobs) this.blob(name, blob)
      this.manifest(name, { mediaType: image.mediaType, bytes: image.manifest })
      return { ...descriptor(image.mediaType, image.manifest), platform: { os, architecture } }
    })
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }))
    return this.manifest(name, { mediaType, bytes }, tag)
  }

  blob(name: string, bytes: Uint8Array): string {
    const digest = digestOfBytes(bytes)
    this.image(name).blobs.set(digest, bodyOf(bytes))
    return digest
  }

  /** A blob of any size: the bytes of `patternBytes`. */
  async pattern(name: string, size: number): Promise<string> {
    const sink = new HashingSink()
    await pipeline(patternBytes(size), sink)
    const digest = `sha256:${sink.sha256()}`
    this.image(name).blobs.set(digest, { size, from: (first) => patternChunks(size, undefined, first) })
    return digest
  }

  find(name: string, reference: string): (UpstreamManifest & { readonly digest: string }) | undefined {
    const image = this.images.get(name)
    const digest = image?.tags.get(reference) ?? reference
    const manifest = image?.manifests.get(digest)
    return manifest && { ...manifest, digest }
  }

  /** Descriptors of the manifests that name it as their subject. */
  referrers(name: string, subject: string): readonly object[] {
    return [...(this.images.get(name)?.manifests ?? [])].flatMap(([digest, { mediaType, bytes }]) => {
      const manifest = JSON.parse(Buffer.from(bytes).toString()) as Manifest
      if (manifest.subject?.digest !== subject) return []
      const { artifactType = manifest.config?.mediaType, annotations } = manifest
      return [{ mediaType, digest, size: bytes.length, artifactType, annotations }]
    })
  }
}

interface Manifest {
  readonly subject?: { readonly digest: string }
  readonly artifactType?: string
  readonly config?: { readonly mediaType: string }
  readonly annotations?: Readonly<Record<string, string>>
}

export function bodyOf(bytes: Uint8Array | string): Body {
  const buffer = Buffer.from(bytes)
  return { size: buffer.length, from: (first) => [buffer.subarray(first)] }
}
