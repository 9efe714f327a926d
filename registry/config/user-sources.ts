import { z } from 'zod'
import { milliseconds } from '../domain/duration.ts'
import { isGroupFilter, isLdapAttribute, isUserFilter } from '../domain/ldap-filter.ts'
import { isLdapUrl } from '../domain/ldap-url.ts'
import { duration, isNotZero } from './quantities.ts'
import { secretValue } from './secret-value.ts'

const groupName = z.string().min(1, 'expected the name of a group')

export const htpasswd = z.strictObject({
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

export const ldap = z.strictObject({
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

export type HtpasswdConfig = z.output<typeof htpasswd>
export type LdapConfig = z.output<typeof ldap>
