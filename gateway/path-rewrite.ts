export type Api = 'v1' | 'v2'

/** The configured `rewrite`, taken apart once. */
export interface PathRewrite {
  /** What upstream stands for `/v1/` or `/v2/` of a repository; without a key, for all of them. Ends where {path} begins. */
  upstreamPrefix(api: Api, key: string | undefined): string
  /** Whether upstream holds the key for the first part of an image name, so that `/v2/` and the like have none. */
  readonly keyIsPartOfImageName: boolean
}

/** Undefined when paths go upstream as they are. */
export function compileRewrite(template: string, context: string): PathRewrite | undefined {
  if (template === 'none') return undefined
  const prefix = template.slice(0, -'{path}'.length).replaceAll('{context}', context)
  const prefixes = { v1: prefix.replaceAll('{api}', 'v1'), v2: prefix.replaceAll('{api}', 'v2') }
  return {
    upstreamPrefix(api, key) {
      return key === undefined ? prefixes[api].replace('{key}/', '') : prefixes[api].replaceAll('{key}', key)
    },
    keyIsPartOfImageName: template.includes('{key}') && template.lastIndexOf('{api}') < template.indexOf('{key}'),
  }
}
