import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { buffer } from 'node:stream/consumers'
import { registrySection, type RemoteConfig } from '../../../../registry/config.ts'
import { isDigest, type Digest } from '../../../../registry/domain/digest.ts'
import { parseImageName, parseReference } from '../../../../registry/domain/names.ts'
import { openUpstream, type UpstreamOptions } from '../../../../registry/repositories/upstream/registry-client.ts'
import {
  UpstreamFailure,
  type FailureKind,
  type UpstreamBlob,
  type UpstreamObserver,
} from '../../../../registry/repositories/upstream/upstream.ts'
import { FaultyUpstream, type FaultyUpstreamOptions } from '../../../helpers/faulty-upstream.ts'

export const image = parseImageName('library/nginx')
export const latest = parseReference('latest')
export const maxManifestBytes = 64 * 1024

/** What went over the wire, as an observer is told. */
export interface Observed extends UpstreamObserver {
  readonly outcomes: string[]
  readonly rates: (readonly [limit: number, remaining: number])[]
  bytes: number
}

export function observe(): Observed {
  const observed: Observed = {
    outcomes: [],
    rates: [],
    bytes: 0,
    answered: (outcome) => void observed.outcomes.push(outcome),
    received: (bytes) => void (observed.bytes += bytes),
    rateLimit: (limit, remaining) => void observed.rates.push([limit, remaining]),
  }
  return observed
}

/** The settings of a remote repository as they are in effect. */
export function remoteConfig(settings: object): RemoteConfig {
  const [config] = Object.values(
    registrySection.parse({ repositories: { hub: { type: 'remote', ...settings } } }).repositories,
  )
  assert.ok(config?.type === 'remote')
  return config
}

export async function startUpstream(t: TestContext, options: FaultyUpstreamOptions = {}): Promise<FaultyUpstream> {
  const upstream = await FaultyUpstream.start(options)
  t.after(() => upstream[Symbol.asyncDispose]())
  return upstream
}

/** A client of it, for as long as the test runs. */
export async function clientOf(
  t: TestContext,
  url: string,
  settings: object = {},
  options: Partial<UpstreamOptions> = {},
) {
  const observed = observe()
  const config = remoteConfig({ url, socketTimeoutMillis: 2000, ...settings })
  const client = await openUpstream(config, observed, { maxManifestBytes, ...options })
  t.after(() => client[Symbol.asyncDispose]())
  return { client, observed }
}

export function digest(text: string): Digest {
  assert.ok(isDigest(text), text)
  return text
}

/** For `assert.rejects`. */
export function failing(kind: FailureKind, message: RegExp = /^/) {
  return (error: unknown): true => {
    assert.ok(error instanceof UpstreamFailure, String(error))
    assert.equal(error.kind, kind, error.message)
    assert.match(error.message, message)
    return true
  }
}

export async function bytesOf(blob: UpstreamBlob | undefined): Promise<Buffer> {
  assert.ok(blob, 'the upstream has no such blob')
  return await buffer(blob.bytes)
}
