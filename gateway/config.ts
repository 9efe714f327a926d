import { isIP } from 'node:net'
import { z } from 'zod'

const keyForm = /^[a-z0-9]+(?:[._-]+[a-z0-9]+)*$/

/** Whether a part of a host name or path can be the key of a repository. */
export function isRepositoryKey(text: string): boolean {
  return text.length <= 64 && keyForm.test(text)
}

/** Where a request goes: one repository, one per API version, or the repository that host name or path names. */
const repositoryKey = z
  .string()
  .refine(isRepositoryKey, 'a repository key has lower-case letters, digits and single separators, at most 64')

const targetFields = {
  repository: repositoryKey.optional().describe('Key of the repository that this host or port stands for.'),
  v1: repositoryKey.optional().describe('Key of the repository that answers /v1/ on this host or port.'),
  v2: repositoryKey.optional().describe('Key of the repository that answers /v2/ on this host or port.'),
  repositoryFrom: z
    .enum(['host', 'path'])
    .optional()
    .describe('Take the key from what "*" stands for in the host name (host) or from the first path segment (path).'),
  challenge: z
    .enum(['token', 'basic'])
    .optional()
    .describe('How docker is asked to log in on this host or port, where that differs from registry.challenge.'),
}

type ChallengeKind = 'token' | 'basic'

interface TargetFields {
  readonly repository?: string | undefined
  readonly v1?: string | undefined
  readonly v2?: string | undefined
  readonly repositoryFrom?: 'host' | 'path' | undefined
  readonly challenge?: ChallengeKind | undefined
}

/** How a host or port says which repository it stands for. */
export type Target = { readonly challenge: ChallengeKind | undefined } & (
  | { readonly kind: 'repository'; readonly v1: string | undefined; readonly v2: string | undefined }
  | { readonly kind: 'host' }
  | { readonly kind: 'path' }
)

function targetOf({ repository, v1, v2, repositoryFrom, challenge }: TargetFields): Target | undefined {
  if (repositoryFrom) return { kind: repositoryFrom, challenge }
  if (repository) return { kind: 'repository', v1: repository, v2: repository, challenge }
  if (v1 ?? v2) return { kind: 'repository', v1, v2, challenge }
  return undefined
}

function oneWay(fields: TargetFields): boolean {
  const ways = [fields.repository, fields.v1 ?? fields.v2, fields.repositoryFrom].filter((way) => way !== undefined)
  return ways.length <= 1
}
const oneWayMessage = 'say either repository, or v1 and v2, or repositoryFrom'

const listener = z
  .strictObject({
    port: z.int().min(0).max(65535).describe('TCP port; 0 takes any free one.'),
    address: z.string().optional().describe('Address to listen on. Default: all, IPv4 and IPv6.'),
    tls: z.boolean().default(true).describe('Whether this port speaks TLS.'),
    redirect: z.enum(['https']).optional().describe('Answer every request with a redirect to this scheme.'),
    ...targetFields,
  })
  .refine(oneWay, oneWayMessage)
  .refine(({ challenge, ...fields }) => challenge === undefined || targetOf(fields) !== undefined, {
    message: 'challenge belongs to a port with a repository; where hosts decide, it stands with the host',
    path: ['challenge'],
  })
  .transform(({ repository, v1, v2, repositoryFrom, challenge, ...rest }) => ({
    ...rest,
    target: targetOf({ repository, v1, v2, repositoryFrom, challenge }),
  }))

const hostTarget = z
  .union([
    repositoryKey.transform((repository): TargetFields => ({ repository })),
    z.strictObject(targetFields).refine(oneWay, oneWayMessage),
  ])
  .transform((fields, context): Target => {
    const target = targetOf(fields)
    if (target) return target
    context.addIssue({ code: 'custom', message: 'say repository, v1 and v2, or repositoryFrom' })
    return z.NEVER
  })

/** A name means the same whatever its case, and with the root's dot at its end. */
export function canonicalHost(host: string): string {
  return host.toLowerCase().replace(/\.$/, '')
}

const hostName = z
  .string()
  .transform(canonicalHost)
  .refine((host) => /^[a-z0-9._-]*\*?[a-z0-9._-]+$/.test(host) || isIP(host) !== 0, {
    message: 'expected a host name without port, with at most one "*" before its first dot',
  })
  .refine((host) => !host.includes('*') || !host.slice(0, host.indexOf('*')).includes('.'), {
    message: '"*" must stand in the first label of the name',
  })

const pem = z.string().describe('Path of a PEM file.')
const pair = z.strictObject({ cert: pem, key: pem })

/** The `gateway:` section. Relative paths are resolved by whoever loads the file. */
export const gatewaySection = z.strictObject({
  upstream: z
    .string()
    .regex(/^(unix:.+|https?:\/\/[^/]+\/?)$/, 'expected unix:<path of a socket> or http(s)://host:port')
    .default('unix:data/registry.sock')
    .describe('The registry that requests are forwarded to.'),
  context: z
    .string()
    .regex(/^(\/[A-Za-z0-9._~-]+)*$/, 'expected a path like /artifactory, or nothing')
    .default('/artifactory')
    .describe('Path below which the upstream has its API.'),
  rewrite: z
    .string()
    .regex(/^(none|(\/|\{context\}).*\{path\})$/, 'expected none, or a path that ends in {path}')
    .default('{context}/api/docker/{key}/{api}/{path}')
    .describe(
      'Path that /v1/… and /v2/… become upstream; {context}, {key}, {api} (v1 or v2) and {path} (what follows) are replaced. none: left as it is.',
    ),
  listeners: z
    .array(listener)
    .min(1)
    .prefault([{ port: 8443 }, { port: 5001, repository: 'docker-local' }])
    .describe('Ports to listen on.'),
  hosts: z
    .record(hostName, hostTarget)
    .prefault({ localhost: { repositoryFrom: 'path' }, '*.localhost': { repositoryFrom: 'host' } })
    .describe('Host names, or patterns with one "*", and the repository each stands for.'),
  certificates: z
    .union([
      z.literal('selfSigned'),
      z.strictObject({ directory: z.string().describe('Directory with <name>.crt and <name>.key files.') }),
      pair.transform((only) => [only]),
      z.array(pair).min(1),
    ])
    .prefault('selfSigned')
    .describe('selfSigned, one { cert, key }, a list of them, or { directory }.'),
  workers: z.int().min(1).max(64).optional().describe('Worker processes. Default: one per processor.'),
  idleTimeoutSeconds: z
    .int()
    .min(1)
    .default(900)
    .describe('A connection on which nothing moves for so long is closed.'),
  drainSeconds: z.int().min(0).default(600).describe('How long transfers in flight may go on after SIGTERM.'),
  trustedProxies: z
    .array(z.string())
    .default([])
    .describe('Addresses or CIDR ranges of load balancers in front whose X-Forwarded-… headers are believed.'),
  accessLog: z
    .strictObject({
      format: z
        .enum(['combined', 'json'])
        .default('combined')
        .describe('Apache combined format or one JSON object a line.'),
      file: z.string().default('data/logs/access.log').describe('File, or stdout, or off.'),
    })
    .prefault({})
    .describe('One line per request.'),
})

export type GatewayConfig = z.output<typeof gatewaySection>
export type Listener = GatewayConfig['listeners'][number]

/** A target in the words of the configuration file. */
export function sourceOf(target: Target): TargetFields {
  const challenge = target.challenge && { challenge: target.challenge }
  if (target.kind !== 'repository') return { repositoryFrom: target.kind, ...challenge }
  const { v1, v2 } = target
  const keys = v1 === v2 && v2 !== undefined ? { repository: v2 } : { ...(v1 && { v1 }), ...(v2 && { v2 }) }
  return { ...keys, ...challenge }
}
