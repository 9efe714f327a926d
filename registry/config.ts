import { z } from 'zod'
import { isDuration, milliseconds } from './domain/duration.ts'
import { isGroupFilter, isLdapAttribute, isUserFilter } from './domain/ldap-filter.ts'
import { isLdapUrl } from './domain/ldap-url.ts'
import { isRepositoryKey } from './domain/names.ts'
import { bytesOf, isSize } from './domain/size.ts'
import { secretValue } from './secret-value.ts'
import type { Places } from './storage/places.ts'

const repositoryKey = z
  .string()
  .refine(
    isRepositoryKey,
    'expected a repository key: lower-case letters, digits and single separators, at most 64, not v1, v2, api or token',
  )

/** Timers take no longer one. */
const maxPauseMs = 2 ** 31 - 1

/** Dates reach no further back than 270,000 years; a hundred are enough for everybody. */
const maxDuration = '36500d'

/** What is no duration, or no size, is not looked at any further. */
const duration = z
  .string()
  .refine(isDuration, { error: 'expected a duration: a number and ms, s, m, h or d, like 24h', abort: true })
  .refine(isShortEnough, `expected at most ${maxDuration}`)
const size = z.string().refine(isSize, {
  error: 'expected a size: a number and B, KiB, MiB, GiB or TiB, or KB, MB, GB or TB, like 10GiB',
  abort: true,
})

/** Recording what one of 8 MiB names, some 60,000 blobs, takes seconds in one transaction; all other requests wait. */
const maxManifestSize = '8MiB'

function isNotZero(duration: string): boolean {
  return milliseconds(duration) > 0
}

function isShortEnough(duration: string): boolean {
  return milliseconds(duration) <= milliseconds(maxDuration)
}

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
      .describe('How long a manifest is kept that has no tag and that nothing else refers to: a duration, or forever.'),
    quota: size
      .optional()
      .describe('How many bytes the blobs of all its images may have, each blob counted once. Default: no limit.'),
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

const groupName = z.string().min(1, 'expected the name of a group')

const htpasswd = z.strictObject({
  file: z
    .string()
    .min(1)
    .describe(
      'A file as Apache\'s "htpasswd -B" makes it: bcrypt and no other hashes. It is read again when it changes.',
    ),
  groups: z.array(groupName).default([]).describe('Groups that all its users are in.'),
})

const ldapUrl = z
  .string()
  .refine(isLdapUrl, 'expected ldap:// or ldaps://, a host and perhaps a port, like ldaps://ldap.example.com')
const ldapAttribute = z.string().refine(isLdapAttribute, 'expected the name of an attribute, like uid')

const ldap = z.strictObject({
  url: z
    .union([ldapUrl.transform((only) => [only]), z.array(ldapUrl).min(1)])
    .describe(
      'The server, ldap://host or ldaps://host with a port if need be; or a list of equals, the next asked when one is down.',
    ),
  startTls: z
    .boolean()
    .default(false)
    .describe('Whether TLS begins within an ldap:// connection, before anything is sent.'),
  plaintext: z
    .boolean()
    .default(false)
    .describe('Whether passwords may go to another machine without TLS, for everyone on the way to read.'),
  ca: z
    .string()
    .min(1)
    .optional()
    .describe(
      "PEM file of the authorities that the server's certificate may come from. Default: those that Node trusts.",
    ),
  bindDn: z.string().min(1).optional().describe('Who searches the directory. Default: anonymous.'),
  bindPassword: secretValue.optional().describe('The password of bindDn: { env: NAME } or { file: path }.'),
  users: z
    .strictObject({
      base: z.string().describe('The entry that all users lie below.'),
      filter: z
        .string()
        .refine(
          isUserFilter,
          'expected a filter with {name} after a "=" and no "*" beside it, like (&(objectClass=person)(uid={name}))',
        )
        .default('(uid={name})')
        .describe('What is true for the one user who may log in as {name}.'),
      nameAttribute: ldapAttribute
        .default('uid')
        .describe('What the user is called here, in lower case. It has one value, and no other user has the same.'),
      emailAttribute: ldapAttribute.default('mail').describe("The user's e-mail address."),
    })
    .describe('Where the users are.'),
  groups: z
    .strictObject({
      base: z.string().describe('The entry that all groups lie below. Whoever may write there decides who is in them.'),
      filter: z
        .string()
        .refine(isGroupFilter, 'expected a filter with {dn} or {name} of the user, like (member={dn})')
        .default('(member={dn})')
        .describe('What is true for the groups of a user, whose entry is {dn} and whose nameAttribute is {name}.'),
      nameAttribute: ldapAttribute.default('cn').describe('What the group is called.'),
    })
    .optional()
    .describe('Where the groups are. Default: nobody is in any.'),
  groupMapping: z
    .record(z.string(), z.union([groupName.transform((only) => [only]), z.array(groupName)]))
    .optional()
    .describe(
      'The group or groups here for each group of the directory; others do not count. Default: the same names.',
    ),
  adminGroup: z
    .string()
    .min(1)
    .optional()
    .describe('The group of the directory whose members are admins. Default: none.'),
  timeout: duration
    .refine((text) => milliseconds(text) <= milliseconds('1m'), 'expected at most 1m')
    .refine(isNotZero, 'expected at least 1ms')
    .default('5s')
    .describe(
      'How long a server may take, from connecting to the last answer about one user, before it counts as down.',
    ),
})

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
export type HtpasswdConfig = z.output<typeof htpasswd>
export type LdapConfig = z.output<typeof ldap>

/** Undefined: no limit, or not a local repository. */
export function quotaBytesOf(repository: RepositoryConfig | undefined): number | undefined {
  return repository?.type === 'local' && repository.quota !== undefined ? bytesOf(repository.quota) : undefined
}

/** Paths in the configuration are absolute. */
export function placesOf(dataDirectory: string, { database, storage }: RegistryConfig): Places {
  return { dataDirectory, database: database.slice('sqlite:'.length), blobs: storage.filesystem }
}
