import { isDigest, type Digest } from './digest.ts'
import { isObject, parseJson, type JsonObject } from './json.ts'

/** What an image's configuration says of its layers, and of what it is. OCI image 1.1, "OCI Image Configuration". */
export interface ImageConfig {
  /** Digests of the layers as they are without compression, the lowest first. */
  readonly diffIds: readonly Digest[]
  readonly platform: string
  /** As it stands there. */
  readonly created: string | undefined
  readonly labels: Readonly<Record<string, string>>
  /** Whether docker's own builder made it, which other builders leave no such field of. */
  readonly madeByDocker: boolean
}

/** Undefined for what is no configuration of an image. */
export function readImageConfig(bytes: Uint8Array): ImageConfig | undefined {
  const parsed = parseJson(bytes)
  const body = 'value' in parsed ? parsed.value : undefined
  if (!isObject(body) || typeof body.architecture !== 'string' || typeof body.os !== 'string') return undefined
  const diffIds = diffIdsOf(body)
  if (!diffIds) return undefined
  return {
    diffIds,
    platform: [body.os, body.architecture, body.variant].filter((part) => typeof part === 'string' && part).join('/'),
    created: typeof body.created === 'string' ? body.created : undefined,
    labels: labelsOf(body),
    madeByDocker: 'container_config' in body || 'docker_version' in body,
  }
}

function diffIdsOf({ rootfs }: JsonObject): readonly Digest[] | undefined {
  if (!isObject(rootfs) || rootfs.type !== 'layers') return undefined
  const listed = rootfs.diff_ids ?? [] // Programs in Go write an empty list as null.
  if (!Array.isArray(listed)) return undefined
  const diffIds = listed.filter((id): id is Digest => typeof id === 'string' && isDigest(id))
  return diffIds.length === listed.length ? diffIds : undefined
}

function labelsOf({ config }: JsonObject): Readonly<Record<string, string>> {
  const labels = isObject(config) && isObject(config.Labels) ? config.Labels : {}
  return Object.fromEntries(
    Object.entries(labels).filter((label): label is [string, string] => typeof label[1] === 'string'),
  )
}
