import type { RegistryClient } from '../helpers/registry-client.ts'
import type { Journal } from './journal.ts'
import type { Origin } from './origin.ts'
import { imageOf, nameOf } from './possible.ts'
import { isCached, originalName, Pulls } from './pulls.ts'

/**
 * Pulls all that was ever pulled through the remote repository, whole, each thing at most `tries` times. Resolves with what is not
 * right then, a sentence each.
 */
export async function pullAgain(
  client: RegistryClient,
  journal: Journal,
  origin: Origin,
  tries: number,
): Promise<readonly string[]> {
  const pulls = new Pulls(client, journal, origin)
  const problems: string[] = []
  const attempt = async (pull: () => Promise<unknown>): Promise<void> => {
    try {
      await within(tries, pull)
    } catch (error) {
      problems.push(`pulled again: ${String(error)}`)
    }
  }
  const { tags, manifests, blobs } = journal.claims
  for (const key of cachedKeys(tags)) await attempt(() => pulls.manifest(originalName(imageOf(key)), nameOf(key)))
  for (const key of cachedKeys(manifests)) {
    const references = [nameOf(key), ...(journal.manifestOf.get(nameOf(key))?.entries ?? [])]
    for (const digest of references) await attempt(() => pulls.manifest(originalName(imageOf(key)), digest))
  }
  const named = cachedKeys(manifests).flatMap((key) =>
    (journal.manifestOf.get(nameOf(key))?.blobs ?? []).map((blob) => `${imageOf(key)} ${blob}`),
  )
  for (const key of new Set([...named, ...cachedKeys(blobs)]))
    await attempt(() => pulls.blob(originalName(imageOf(key)), nameOf(key)))
  return problems
}

function cachedKeys(claims: ReadonlyMap<string, unknown>): readonly string[] {
  return [...claims.keys()].filter((key) => isCached(imageOf(key)))
}

async function within(tries: number, pull: () => Promise<unknown>): Promise<void> {
  try {
    await pull()
  } catch (error) {
    if (tries <= 1) throw error
    await within(tries - 1, pull)
  }
}
