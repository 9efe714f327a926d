import { z } from 'zod'
import { isDuration, milliseconds } from './domain/duration.ts'
import { isRepositoryKey } from './domain/names.ts'
import { bytesOf } from './domain/size.ts'
import { accessFields, antPattern } from './config/access.ts'
import { oidcSection } from './config/oidc.ts'
import { duration, isNotZero, isShortEnough, maxDuration, maxPauseMs, size } from './config/quantities.ts'
import { remoteFields } from './config/remote.ts'
import { htpasswd, ldap } from './config/user-sources.ts'
import type { Places } from './storage/places.ts'

const repositoryKey = z
  .string()
  .refine(
    isRepositoryKey,
    'expected a repository key: lower-case letters, digits and single separators, at most 64, not v1, v2, api or token',
  )

/** So that a file holds more than a few events, however long they are. */
const minRotation = '64KiB'

/** Recording what one of 8 MiB names, some 60,000 blobs, takes seconds in one transaction; all other requests wait. */
const maxManifestSize = '8MiB'

const repository = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('local'),
    apiVersion: z.enum(['v1', 'v2']).default('v2').describe('The Docker registry API that this repository speaks.'),
    keepUntagged: z
      .string()
      .refine(
        (text) => text === 'forever' || (isDuration(text) && isShortEnough(text)),
        `expected forever, or a duration up to ${maxDuration}, like 7d`,
      )
      .default('7d')
      .describe(
        'How long a manifest is kept that has no tag and that nothing else refers to: a duration, or forever. Images of the V1 API go as soon as blobs do.',
      ),
    quota: size
      .optional()
      .describe('How many bytes the blobs of all its images may have, each blob counted once. Default: no limit.'),
    immutableTags: z
      .array(antPattern)
      .default([])
      .describe('Ant patterns over <image>/<tag>, like "**/v*": such tags are never moved or deleted, whoever asks.'),
    blockPushingSchema1: z
      .boolean()
      .default(false)
      .describe('Whether image manifests of schema 1, which docker 1.6 to 1.9 push, are refused.'),
    description: z.string().default('').describe('For people.'),
  }),
  z
    .strictObject(remoteFields)
    .refine(
      ({ username, password, token, credentialHelper }) =>
        [username ?? password, token, credentialHelper].filter((way) => way !== undefined).length <= 1,
      {
        error: 'say one of username and password, token, or credentialHelper',
        path: ['credentialHelper'],
      },
    )
    .refine(({ username, password }) => (username === undefined) === (password === undefined), {
      error: 'username and password belong together',
      path: ['username'],
    }),
  z.strictObject({
    type: z.literal('virtual'),
    members: z.array(repositoryKey).min(1).describe('Repositories that answer here, first hit wins.'),
    deployTo: repositoryKey
      .optional()
      .describe('The local member that pushes go to. Default: nothing can be pushed here.'),
    resolveTagsBy: z
      .enum(['order', 'newest'])
      .default('order')
      .describe('Which member answers when several have a tag: the first one, or the one where it was moved last.'),
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
    .union([
      z.boolean(),
      z.literal('all').transform(() => true),
      z.literal(['', null]).transform(() => false),
      z.array(repositoryKey),
    ])
    .prefault(false)
    .describe(
      'Ask for a login although anonymous access is on: true or all, or the repositories where. Empty: as false.',
    ),
  challenge: z
    .enum(['token', 'basic'])
    .default('token')
    .describe('How docker is asked to log in: for a token of the registry, or with the password at every request.'),
  tokens: z
    .strictObject({
      life: duration
        .refine((text) => milliseconds(text) >= 60_000 && milliseconds(text) <= 3_600_000, 'expected 60s to 1h')
        .default('1h')
        .describe('How long the tokens are good that docker fetches for each pull and push.'),
      refreshLife: duration
        .refine(isNotZero, 'expected at least 1ms')
        .default('90d')
        .describe('How long docker login is good for where it keeps a refresh token in place of the password.'),
      keyLife: duration
        .refine((text) => milliseconds(text) >= 3_600_000, 'expected at least 1h')
        .default('30d')
        .describe('How long one key signs them; the next one is made then.'),
    })
    .prefault({})
    .describe('The tokens that docker login and docker pull are given.'),
  ...accessFields,
  garbageCollection: z
    .strictObject({
      grace: duration
        .default('24h')
        .describe('How long what nothing refers to is kept, and what a client was told to be there can be relied on.'),
      every: duration
        .refine((text) => milliseconds(text) <= maxPauseMs, 'expected at most 24d')
        .refine(isNotZero, 'expected at least 1ms')
        .default('1m')
        .describe('Pause between two rounds of garbage collection.'),
      abandonedUploads: duration
        .refine(isNotZero, 'expected at least 1ms')
        .prefault('24h')
        .describe('How long an upload is kept that nobody goes on with.'),
    })
    .prefault({})
    .describe('When the space of what is no longer used comes back. It happens while everything goes on.'),
  limits: z
    .strictObject({
      manifestSize: size
        .refine((text) => bytesOf(text) <= bytesOf(maxManifestSize), `expected at most ${maxManifestSize}`)
        .default('4MiB')
        .describe('The largest manifest that is accepted, 8MiB at most. The specification asks for at least 4MiB.'),
      uploadsPerUser: z
        .int()
        .min(1)
        .default(1000)
        .describe(
          'How many uploads one user may have begun and not finished; what is abandoned counts until it is removed.',
        ),
      freeSpace: size
        .default('1GiB')
        .describe('How much of the disk with the blobs pushes leave free; pulls and deletions go on. 0B: nothing.'),
    })
    .prefault({})
    .describe('What pushes may take.'),
  audit: z
    .strictObject({
      file: z.string().min(1).default('data/audit/audit.jsonl').describe('File, one JSON object a line, or off.'),
      rotateAt: size
        .refine((text) => bytesOf(text) >= bytesOf(minRotation), `expected at least ${minRotation}`)
        .default('64MiB')
        .describe(
          `The size at which the file is renamed, with .1 at the end, and a new one begun; at least ${minRotation}.`,
        ),
      keep: z.int().min(1).max(1000).default(10).describe('How many renamed files are kept; the oldest are removed.'),
    })
    .prefault({})
    .describe('The record of who pushed, deleted, logged in, was refused, or changed what others may do.'),
  oidc: oidcSection
    .default({})
    .describe('OpenID Connect providers by name: whose users may log in, and whose jobs may have a token.'),
  htpasswd: htpasswd
    .optional()
    .describe('Users of a password file, besides those of the registry itself. Default: none.'),
  ldap: ldap.optional().describe('Users of an LDAP directory, besides those of the registry itself. Default: none.'),
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
export type LocalConfig = Extract<RepositoryConfig, { readonly type: 'local' }>
export type RemoteConfig = Extract<RepositoryConfig, { readonly type: 'remote' }>
export type VirtualConfig = Extract<RepositoryConfig, { readonly type: 'virtual' }>
export type { OidcProvider, WorkloadRule } from './config/oidc.ts'
export type { HtpasswdConfig, LdapConfig } from './config/user-sources.ts'

/** Undefined: no limit, or not a local repository. */
export function quotaBytesOf(repository: RepositoryConfig | undefined): number | undefined {
  return repository?.type === 'local' && repository.quota !== undefined ? bytesOf(repository.quota) : undefined
}

/** Paths in the configuration are absolute. */
export function placesOf(dataDirectory: string, { database, storage }: RegistryConfig): Places {
  return { dataDirectory, database: database.slice('sqlite:'.length), blobs: storage.filesystem }
}
