/** Where below the path one of docker's APIs was addressed. */
export interface ApiAddress {
  /** Up to and including `/v1` or `/v2`. */
  readonly base: string
  /** The repository that the whole API stands for; undefined for all of them together. */
  readonly key: string | undefined
  /** What follows `/v1/` or `/v2/`. */
  readonly rest: string
}

const direct = { v1: /^\/v1(?:\/(.*))?$/, v2: /^\/v2(?:\/(.*))?$/ } as const
const belowContext = {
  v1: /^\/api\/docker(?:\/([^/]+))?\/v1(?:\/(.*))?$/,
  v2: /^\/api\/docker(?:\/([^/]+))?\/v2(?:\/(.*))?$/,
} as const

/** Undefined for a path outside the API. `path` is normalised (`parseRequestTarget`). */
export function locateApi(api: 'v1' | 'v2', path: string, context: string): ApiAddress | undefined {
  const atRoot = direct[api].exec(path)
  if (atRoot) return { base: `/${api}`, key: undefined, rest: atRoot[1] ?? '' }

  const below = path.startsWith(context) ? belowContext[api].exec(path.slice(context.length)) : null
  if (!below) return undefined
  const [, key, rest = ''] = below
  return { base: `${context}/api/docker${key === undefined ? '' : `/${key}`}/${api}`, key, rest }
}
