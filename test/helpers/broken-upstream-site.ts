import { FaultyUpstream, type FaultyUpstreamOptions } from './faulty-upstream.ts'
import type { RegistryClient } from './registry-client.ts'
import { startTestRegistry, type TestRegistry } from './registry.ts'

export interface SiteOptions {
  readonly upstream?: FaultyUpstreamOptions
  /** Of the remote repository, besides those that make faults short. */
  readonly remote?: Readonly<Record<string, unknown>>
  /** Other repositories. */
  readonly repositories?: Readonly<Record<string, object>>
  /** Of the registry, besides its repositories. */
  readonly section?: Readonly<Record<string, unknown>>
}

/** The registry with the remote repository `hub` in front of an upstream that can be made to fail. */
export interface BrokenUpstreamSite extends AsyncDisposable {
  readonly upstream: FaultyUpstream
  readonly registry: TestRegistry
  /** Of `hub`, anonymous. */
  readonly client: RegistryClient
}

/** Tags are looked after at each request, and nothing is waited for longer than a second. */
export async function openBrokenUpstreamSite(options: SiteOptions = {}): Promise<BrokenUpstreamSite> {
  await using opened = new AsyncDisposableStack()
  const upstream = opened.use(await FaultyUpstream.start(options.upstream))
  const hub = {
    type: 'remote',
    url: upstream.url,
    assumedOfflinePeriodSecs: 0,
    retrievalCachePeriodSecs: 0,
    missedRetrievalCachePeriodSecs: 0,
    socketTimeoutMillis: 500,
    ...options.remote,
  }
  const repositories = { 'docker-local': { type: 'local' }, hub, ...options.repositories }
  const registry = opened.use(await startTestRegistry({ ...options.section, repositories }))
  const running = opened.move()
  return {
    upstream,
    registry,
    client: registry.anonymous.at(v2Of('hub')),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

export function v2Of(key: string): string {
  return `/artifactory/api/docker/${key}/v2`
}
