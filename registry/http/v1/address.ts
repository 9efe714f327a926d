/** Where below the path the V1 API was addressed. */
export interface V1Address {
  /** The repository that the whole API stands for; undefined for all of them together. */
  readonly key: string | undefined
  /** What follows `/v1/`. */
  readonly rest: string
}

const direct = /^\/v1(?:\/(.*))?$/
const belowContext = /^\/api\/docker(?:\/([^/]+))?\/v1(?:\/(.*))?$/

/** Undefined for a path outside the V1 API. `path` is normalised (`parseRequestTarget`). */
export function locateV1(path: string, context: string): V1Address | undefined {
  const atRoot = direct.exec(path)
  if (atRoot) return { key: undefined, rest: atRoot[1] ?? '' }
  const below = path.startsWith(context) ? belowContext.exec(path.slice(context.length)) : null
  return below && !isManagement(below[2]) ? { key: below[1], rest: below[2] ?? '' } : undefined
}

/** Artifactory's REST API has paths of its own among those of the V1 API. */
function isManagement(rest = ''): boolean {
  return /^migrate(?:\/|$)/.test(rest)
}
