import { z } from 'zod'
import { isAntPattern } from '../domain/ant-pattern.ts'
import { isTagGlob } from '../domain/glob.ts'
import { isImageName } from '../domain/names.ts'
import { duration, isNotZero } from './quantities.ts'
import { secretValue } from './secret-value.ts'

const maxSeconds = 36_500 * 86_400
const seconds = z.int().min(0).max(maxSeconds)
const pem = z.string().min(1)
const hostAndPort = z
  .string()
  .regex(/^[a-z0-9.-]+(:\d{1,5})?$/, 'expected a host name in lower case, with its port when it is not the usual one')

/** As Artifactory has them, one text with commas; or a list. */
const patterns = z
  .union([z.string().transform((text) => text.split(',')), z.array(z.string())])
  .transform((list) => list.map((pattern) => pattern.trim()).filter((pattern) => pattern !== ''))
  .refine(
    (list) => list.every(isAntPattern),
    'expected Ant patterns over <image>/<tag> with commas between, like "library/**, team/app/*", or a list of them',
  )

const imagePath = z
  .string()
  .refine(
    (text) => text === '' || isImageName(text),
    'expected the first segments of image names, like team/mirror, or nothing',
  )

const externalPattern = z
  .string()
  .regex(
    /^https?:\/\/[^\s*?/]+\/\S*$/,
    'expected a URL with a host, in whose path * stands for any characters, like https://layers.example.com/*',
  )

const platform = z.string().regex(/^[a-z0-9]+\/[a-z0-9]+(\/[a-z0-9]+)?$/, 'expected a platform like linux/amd64')

const prefetch = z.strictObject({
  image: z.string().refine(isImageName, 'expected an image, like library/nginx').describe('What is fetched.'),
  tags: z
    .array(z.string().refine(isTagGlob, 'expected a tag, in which * stands for any characters and ? for one'))
    .min(1)
    .describe('Its tags: * stands for any characters, ? for one.'),
  platforms: z.array(platform).optional().describe('Of a multi-platform image, these alone. Default: all.'),
  every: duration
    .refine(isNotZero, 'expected at least 1ms')
    .default('1h')
    .describe('Pause between two looks at the upstream.'),
})

/** What is no URL at all is told elsewhere. URLs are logged. */
function hasNoLogin(text: string): boolean {
  return !URL.canParse(text) || (new URL(text).username === '' && new URL(text).password === '')
}

/** A caching proxy of another registry. The names are those of Artifactory's settings, with the units that they have there. */
export const remoteFields = {
  type: z.literal('remote'),
  url: z
    .url({ protocol: /^https?$/, error: 'expected a URL, like https://registry-1.docker.io' })
    .refine(
      (text) => !URL.canParse(text) || !/\/v2\/?$/.test(new URL(text).pathname),
      'expected the URL without /v2/, which is added',
    )
    .refine(hasNoLogin, 'the user name and password stand in username and password, not in the URL')
    .refine(
      (text) => !URL.canParse(text) || new URL(text).search + new URL(text).hash === '',
      'expected a URL without ? and #',
    )
    .describe('The registry whose images are cached, without /v2/: https://registry-1.docker.io for Docker Hub.'),
  username: z.string().min(1).optional().describe('Who logs in at the upstream. Default: anonymous.'),
  password: secretValue
    .optional()
    .describe('The password or access token of username: { env: NAME } or { file: path }.'),
  token: secretValue
    .optional()
    .describe(
      'In place of a password, an identity token that the upstream gives its tokens for: { env: NAME } or { file: path }.',
    ),
  credentialHelper: z
    .union([
      z
        .string()
        .min(1)
        .transform((only) => [only]),
      z.array(z.string().min(1)).min(1),
    ])
    .optional()
    .describe(
      "In place of both, a program that says them as docker's credential helpers do, like docker-credential-ecr-login; with arguments, a list.",
    ),
  enableTokenAuthentication: z
    .boolean()
    .default(true)
    .describe(
      'Whether tokens are fetched where the upstream asks for them, as Docker Hub does; false: the password alone is sent.',
    ),
  tokenRealms: z
    .array(hostAndPort)
    .default([])
    .describe(
      "Hosts that may see the credentials to give tokens for them, besides those of the upstream's own domain.",
    ),
  ca: pem
    .optional()
    .describe(
      "PEM file of the authorities that the upstream's certificate may come from. Default: those that Node trusts.",
    ),
  clientCertificate: z
    .strictObject({ cert: pem.describe('PEM file.'), key: pem.describe('PEM file.') })
    .optional()
    .describe('What we show the upstream in the TLS handshake. Default: nothing.'),
  proxy: z
    .strictObject({
      url: z
        .url({ protocol: /^https?$/ })
        .refine(hasNoLogin, 'the user name and password stand in username and password, not in the URL')
        .describe('http://host:port or https://host:port.'),
      username: z.string().min(1).optional().describe('Who logs in at the proxy. Default: nobody.'),
      password: secretValue.optional().describe('The password: { env: NAME } or { file: path }.'),
    })
    .optional()
    .describe('The proxy through which the upstream is reached. Default: none.'),
  refusePrivateAddresses: z
    .boolean()
    .default(false)
    .describe(
      'Whether nothing is fetched from loopback, private and link-local addresses, wherever the upstream leads.',
    ),
  imagePaths: z
    .array(
      z.strictObject({
        from: imagePath.describe('First segments of names here; nothing: of all.'),
        to: imagePath.describe('What these are at the upstream; nothing: they are left out.'),
      }),
    )
    .default([])
    .describe('What images are called at the upstream, where that differs; the first that fits counts.'),
  addLibrary: z
    .boolean()
    .optional()
    .describe('Whether a name of one segment, like nginx, is that of library/nginx. Default: for Docker Hub alone.'),
  namespaces: z
    .array(hostAndPort)
    .optional()
    .describe(
      "Registries that containerd may take this one for a mirror of (?ns=). Default: the URL's host, and docker.io for Docker Hub.",
    ),
  includesPattern: patterns
    .prefault('**')
    .describe('Ant patterns over <image>/<tag> of what there is here, with commas between.'),
  excludesPattern: patterns
    .prefault('')
    .describe('Ant patterns over <image>/<tag> of what there is not, with commas between.'),
  retrievalCachePeriodSecs: seconds
    .default(600)
    .describe('How many seconds a tag is served before the upstream is asked whether it has moved.'),
  missedRetrievalCachePeriodSecs: seconds
    .default(60)
    .describe('How many seconds it is remembered that the upstream does not have something.'),
  assumedOfflinePeriodSecs: seconds
    .default(300)
    .describe(
      'How many seconds the upstream is left alone after it could not be reached, unless a look in the background finds it back.',
    ),
  socketTimeoutMillis: z
    .int()
    .min(100)
    .max(600_000)
    .default(15_000)
    .describe(
      'How many milliseconds the upstream may be silent: until it is connected, until it answers, and within an answer.',
    ),
  unusedArtifactsCleanupPeriodHours: z
    .int()
    .min(0)
    .max(maxSeconds / 3600)
    .default(0)
    .describe('After how many hours without a pull a cached image goes. 0: never.'),
  storeArtifactsLocally: z
    .boolean()
    .default(true)
    .describe('Whether what was fetched is kept; false: everything is fetched each time.'),
  hardFail: z
    .boolean()
    .default(false)
    .describe(
      'Whether a client is told 503 when the upstream cannot be asked, and 404 else; in a virtual repository, whether the others are then not asked.',
    ),
  offline: z.boolean().default(false).describe('Whether the upstream is never asked: what is cached is all there is.'),
  externalDependenciesPatterns: z
    .array(externalPattern)
    .default([])
    .describe(
      'URLs, with * for any characters, that foreign layers are fetched from, which manifests say lie elsewhere. Default: none are.',
    ),
  prefetch: z.array(prefetch).default([]).describe('What is fetched before anybody asks for it, and kept fresh.'),
  description: z.string().default('').describe('For people.'),
}
