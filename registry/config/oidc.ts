import { z } from 'zod'
import { isDuration, milliseconds } from '../domain/duration.ts'
import { isHttpsUrl } from '../domain/https-url.ts'
import { name as userName } from './access.ts'
import { secretValue } from './secret-value.ts'

const maxLife = '1h'
const name = (what: string) =>
  z
    .string()
    .regex(
      /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$/,
      `expected ${what}: at most 64 letters, digits, ".", "_" and "-", a letter or digit at both ends`,
    )

/** Every token of the provider has them, and a job at a public provider may ask for any audience. */
const saysNothing: ReadonlySet<string> = new Set(['iss', 'aud'])

type Patterns = string | readonly string[]

/** A rule that every token of the provider matches would let in whoever has an account there. */
function tellsTokensApart(claims: Readonly<Record<string, Patterns>>): boolean {
  return Object.entries(claims).some(
    ([claim, patterns]) => !saysNothing.has(claim) && [patterns].flat().every((pattern) => /[^*]/.test(pattern)),
  )
}

const rule = z
  .strictObject({
    name: name('the name of a rule').describe('For the log, and for a client that asks for one rule.'),
    claims: z
      .record(z.string().min(1), z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]))
      .refine(
        tellsTokensApart,
        'expected at least one claim besides iss and aud whose value is more than *: any token of the provider would match',
      )
      .describe(
        'What the token must say, all of it: by claim (a dotted path for one inside another) the value, or a list of which one is enough. ' +
          '* stands for any characters, / and : too, and everything else for itself: repo:company/*:ref:refs/heads/main, ' +
          'but repo:company* would match repo:company-of-others/… as well.',
      ),
    user: z.string().min(1).optional().describe('Whom the job acts as: an existing user. Either this or groups.'),
    groups: z
      .array(userName)
      .min(1)
      .optional()
      .describe('What groups the job is in while it is no user at all. Either this or user.'),
    scope: z
      .string()
      .min(1)
      .optional()
      .describe('What the token is good for. Default: all that the user or the groups may.'),
    life: z
      .string()
      .refine(isDuration, { error: 'expected a duration: a number and ms, s, m, h or d, like 10m', abort: true })
      .refine(
        (text) => milliseconds(text) >= 1000 && milliseconds(text) <= milliseconds(maxLife),
        `expected at least 1s and at most ${maxLife}`,
      )
      .default('10m')
      .describe('How long the token is good for: 1h at most.'),
  })
  .refine(({ user, groups }) => (user === undefined) !== (groups === undefined), 'expected either user or groups')

const workload = z.strictObject({
  audience: z.string().min(1).describe('What the claim aud of the job token must be, or have among others.'),
  rules: z.array(rule).min(1).describe('Which jobs may do what; the first rule that matches counts.'),
})

const provider = z
  .strictObject({
    issuer: z
      .string()
      .refine(
        (text) => isHttpsUrl(text) && !/[?#@]/.test(text),
        'expected an https URL without query (http only for this machine itself)',
      )
      .describe(
        'URL of the provider, exactly as its tokens have it in iss: https://token.actions.githubusercontent.com',
      ),
    ca: z
      .string()
      .min(1)
      .optional()
      .describe('PEM file of the only authority that is believed for the provider. Default: those that Node.js knows.'),
    clientId: z.string().min(1).optional().describe('What the provider calls this registry, for people to log in.'),
    clientSecret: secretValue
      .optional()
      .describe(
        '{ env: NAME } or { file: path } of what the provider gave with the clientId. Default: a public client.',
      ),
    scopes: z
      .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, 'expected a scope without spaces'))
      .refine((scopes) => scopes.includes('openid'), 'expected openid among the scopes')
      .default(['openid', 'profile', 'email'])
      .describe('What the provider is asked for at a login.'),
    userClaim: z
      .string()
      .min(1)
      .default('preferred_username')
      .describe(
        'Claim with the user name; one that users cannot change themselves. email counts only when it is verified.',
      ),
    groupsClaim: z
      .string()
      .min(1)
      .default('groups')
      .describe('Claim with the names of the groups; a dotted path for one inside another.'),
    groupMapping: z
      .record(z.string(), z.string().min(1))
      .optional()
      .describe('Group here by group of the provider; what is not named counts for nothing. Default: the same names.'),
    adminGroup: z
      .string()
      .min(1)
      .optional()
      .describe('Group, as the provider calls it, whose members are admins. Default: none.'),
    login: z.boolean().default(true).describe('Whether people may log in with this provider, which needs a clientId.'),
    workload: workload.optional().describe('Jobs that exchange a token of the provider for one of this registry.'),
  })
  .refine(
    ({ clientId, workload }) => clientId !== undefined || workload !== undefined,
    'expected a clientId, for people, or workload, for jobs',
  )

/** The `registry.oidc:` section. */
export const oidcSection = z.record(name('the name of a provider'), provider)

export type OidcProvider = z.output<typeof provider>
export type WorkloadRule = z.output<typeof rule>
