import { z } from 'zod'
import { isRepositoryKey } from './domain/names.ts'

const repositoryKey = z
  .string()
  .refine(
    isRepositoryKey,
    'expected a repository key: lower-case letters, digits and single separators, at most 64, not v1, v2, api or token',
  )

const repository = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('local'),
    apiVersion: z.enum(['v1', 'v2']).default('v2').describe('The Docker registry API that this repository speaks.'),
    description: z.string().default('').describe('For people.'),
  }),
  z.strictObject({
    type: z.literal('remote'),
    url: z.url({ protocol: /^https?$/ }).describe('The registry whose images are cached.'),
    description: z.string().default('').describe('For people.'),
  }),
  z.strictObject({
    type: z.literal('virtual'),
    members: z.array(repositoryKey).min(1).describe('Repositories that answer here, first hit wins.'),
    deployTo: repositoryKey.optional().describe('The local member that pushes go to.'),
    description: z.string().default('').describe('For people.'),
  }),
])

/** The `registry:` section. Relative paths are resolved by whoever loads the file. */
export const registrySection = z.strictObject({
  listen: z
    .union([z.string().transform((only) => [only]), z.array(z.string()).min(1)])
    .pipe(z.array(z.string().regex(/^(unix:.+|.+:\d+)$/, 'expected unix:<path of a socket> or address:port')))
    .prefault('unix:data/registry.sock')
    .describe('Where the registry listens: unix:<path>, address:port, or a list of both.'),
  context: z
    .string()
    .regex(/^(\/[A-Za-z0-9._~-]+)*$/, 'expected a path like /artifactory, or nothing')
    .default('/artifactory')
    .describe('Path below which the API is served.'),
  storage: z
    .strictObject({ filesystem: z.string().default('data/blobs').describe('Directory of the blobs.') })
    .prefault({})
    .describe('Where blobs are kept.'),
  database: z
    .string()
    .regex(/^sqlite:.+$/, 'expected sqlite:<path of a file>')
    .default('sqlite:data/caisson.db')
    .describe('Where metadata is kept.'),
  cache: z.enum(['memory']).default('memory').describe('Where expiring state is kept.'),
  anonymousAccess: z.boolean().default(true).describe('Whether images may be pulled without login.'),
  forceAuthentication: z
    .union([z.boolean(), z.literal('all').transform(() => true), z.array(repositoryKey)])
    .prefault(false)
    .describe('Ask for a login although anonymous access is on: true or all, or the repositories where.'),
  trustedProxies: z
    .array(z.string())
    .default(['127.0.0.1', '::1'])
    .describe('Addresses or CIDR ranges whose X-Forwarded-… headers are believed; the socket always is.'),
  repositories: z
    .record(repositoryKey, repository)
    .prefault({
      'docker-local': { type: 'local' },
      'docker-v1': { type: 'local', apiVersion: 'v1' },
      'docker-hub': { type: 'remote', url: 'https://registry-1.docker.io' },
      docker: { type: 'virtual', members: ['docker-local', 'docker-hub'], deployTo: 'docker-local' },
    })
    .describe('The repositories by key.'),
})

export type RegistryConfig = z.output<typeof registrySection>
export type RepositoryConfig = z.output<typeof repository>
