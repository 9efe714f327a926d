import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { parse } from 'yaml'
import { effective } from '../../cli/check-command.ts'
import { ConfigError, loadConfig, parseConfig } from '../../cli/config.ts'

/** The one line that a wrong file is answered with. */
function complaint(text: string): string {
  try {
    parseConfig(text, 'caisson.yaml')
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
  return assert.fail('the configuration was accepted')
}

const wrong: readonly { readonly name: string; readonly yaml: string; readonly says: RegExp }[] = [
  {
    name: 'broken YAML',
    yaml: 'gateway:\n  hosts: {a: b\n',
    says: /^caisson\.yaml:\d+:\d+: not readable as YAML: /,
  },
  {
    name: 'an alias of nothing',
    yaml: 'gateway: *none\n',
    says: /^caisson\.yaml: not readable as YAML: Unresolved alias .*none$/,
  },
  {
    name: 'a certificate without its key',
    yaml: 'gateway:\n  certificates: { cert: a.crt }\n',
    says: /^caisson\.yaml:2:3: gateway\.certificates\.key: /,
  },
  {
    name: 'a trusted proxy that is no address',
    yaml: 'gateway:\n  trustedProxies: [10.0.0.0/8, proxy.internal]\n',
    says: /^caisson\.yaml:2:32: gateway\.trustedProxies\.1: expected an address or a range like 10\.0\.0\.0\/8$/,
  },
  {
    name: 'a trusted proxy of the registry whose range is none',
    yaml: 'registry:\n  trustedProxies: [10.0.0.0/99]\n',
    says: /^caisson\.yaml:2:20: registry\.trustedProxies\.0: expected an address or a range like 10\.0\.0\.0\/8$/,
  },
  {
    name: 'an audit log that would be rotated all the time',
    yaml: 'registry:\n  audit: { rotateAt: 1KiB }\n',
    says: /^caisson\.yaml:2:12: registry\.audit\.rotateAt: expected at least 64KiB$/,
  },
  {
    name: 'a virtual repository that is its own member',
    yaml: 'registry:\n  repositories:\n    docker-local: { type: local }\n    all: { type: virtual, members: [all] }\n',
    says: /^caisson\.yaml:4:\d+: all: a repository cannot be its own member$/,
  },
  {
    name: 'an unknown key names the nearest known one and its line',
    yaml: 'gateway:\n  context: /x\n  listners:\n    - { port: 1 }\n',
    says: /^caisson\.yaml:3:3: unknown key gateway\.listners; did you mean "listeners"\?$/,
  },
  {
    name: 'a key of another type of repository',
    yaml: 'registry:\n  repositories:\n    docker-local: { type: local, members: [a] }\n',
    says: /^caisson\.yaml:3:\d+: registry\.repositories\.docker-local\.members is for another type than this$/,
  },
  {
    name: 'an upstream without https://',
    yaml: 'registry:\n  repositories:\n    docker-local: { type: local }\n    hub: { type: remote, url: registry-1.docker.io }\n',
    says: /^caisson\.yaml:4:\d+: registry\.repositories\.hub\.url: expected a URL, like https:\/\/registry-1\.docker\.io$/,
  },
  {
    name: 'an upstream with the path that is added to it',
    yaml: 'registry:\n  repositories:\n    docker-local: { type: local }\n    hub: { type: remote, url: "https://registry-1.docker.io/v2/" }\n',
    says: /^caisson\.yaml:4:\d+: registry\.repositories\.hub\.url: expected the URL without \/v2\/, which is added$/,
  },
  {
    name: 'an unknown key inside a listener',
    yaml: 'gateway:\n  listeners:\n    - { port: 1, repositry: docker-local }\n',
    says: /^caisson\.yaml:3:\d+: unknown key gateway\.listeners\.0\.repositry; did you mean "repository"\?$/,
  },
  {
    name: 'an unknown key inside a host',
    yaml: 'gateway:\n  hosts:\n    a.example.com: { repositoryfrom: host }\n',
    says: /^caisson\.yaml:3:\d+: unknown key gateway\.hosts\.a\.example\.com\.repositoryfrom; did you mean "repositoryFrom"\?$/,
  },
  {
    name: 'the same host twice, to the letter',
    yaml: 'gateway:\n  hosts:\n    a.example.com: docker-local\n    a.example.com: docker-v1\n',
    says: /^caisson\.yaml:4:\d+: not readable as YAML: Map keys must be unique/,
  },
  {
    name: 'the same host twice in another case',
    yaml: 'gateway:\n  hosts:\n    a.example.com: docker-local\n    A.example.com: docker-v1\n',
    says: /^caisson\.yaml:4:5: gateway\.hosts: "A\.example\.com" and "a\.example\.com" are the same host/,
  },
  {
    name: 'the same host with and without its last dot',
    yaml: 'gateway:\n  hosts:\n    a.example.com: docker-local\n    a.example.com.: docker-v1\n',
    says: /^caisson\.yaml:4:5: .* are the same host/,
  },
  {
    name: 'the same port twice',
    yaml: 'gateway:\n  listeners:\n    - { port: 5001 }\n    - { port: 5001 }\n',
    says: /^caisson\.yaml:4:9: port 5001 already belongs to gateway\.listeners\.0/,
  },
  {
    name: 'a host for a repository that is not there names the nearest one',
    yaml: 'gateway:\n  hosts:\n    a.example.com: docker-locl\n',
    says: /^caisson\.yaml:3:5: .*there is no repository "docker-locl" in registry\.repositories; did you mean "docker-local"\?$/,
  },
  {
    name: 'a repository key in capitals',
    yaml: 'registry:\n  repositories:\n    Docker-Local: { type: local }\n',
    says: /^caisson\.yaml:3:5: registry\.repositories\.Docker-Local: .*lower-case/,
  },
  {
    name: 'two ways to say the repository of one listener',
    yaml: 'gateway:\n  listeners:\n    - { port: 1, repository: docker-local, repositoryFrom: host }\n',
    says: /^caisson\.yaml:3:\d+: gateway\.listeners\.0: say either repository, or v1 and v2, or repositoryFrom$/,
  },
  {
    name: 'a port that is no number',
    yaml: 'gateway:\n  listeners:\n    - { port: many }\n',
    says: /^caisson\.yaml:3:9: gateway\.listeners\.0\.port: .*expected number/,
  },
  {
    name: 'a pattern with "*" in the wrong place',
    yaml: 'gateway:\n  hosts:\n    "docker.*.example.com": { repositoryFrom: host }\n',
    says: /^caisson\.yaml:3:5: .*"\*" must stand in the first label/,
  },
  {
    name: 'a repository of an unknown type',
    yaml: 'registry:\n  repositories:\n    a: { type: locl }\n',
    says: /^caisson\.yaml:3:\d+: registry\.repositories\.a/,
  },
  {
    name: 'a duration that is none',
    yaml: 'registry:\n  garbageCollection: { every: often }\n',
    says: /^caisson\.yaml:2:24: registry\.garbageCollection\.every: expected a duration: .*, like 24h$/,
  },
  {
    name: 'a duration of more than a hundred years',
    yaml: 'registry:\n  garbageCollection: { grace: 999999999d }\n',
    says: /^caisson\.yaml:2:24: registry\.garbageCollection\.grace: expected at most 36500d$/,
  },
  {
    name: 'a pause that is none',
    yaml: 'registry:\n  garbageCollection: { every: 0s }\n',
    says: /^caisson\.yaml:2:24: registry\.garbageCollection\.every: expected at least 1ms$/,
  },
  {
    name: 'uploads that are abandoned at once',
    yaml: 'registry:\n  garbageCollection: { abandonedUploads: 0s }\n',
    says: /^caisson\.yaml:2:24: registry\.garbageCollection\.abandonedUploads: expected at least 1ms$/,
  },
  {
    name: 'a time to keep untagged manifests that is none',
    yaml: 'registry:\n  repositories:\n    a: { type: local, keepUntagged: 1y }\n',
    says: /^caisson\.yaml:3:\d+: registry\.repositories\.a\.keepUntagged: expected forever, or a duration up to 36500d, like 7d$/,
  },
  {
    name: 'a size without its unit',
    yaml: 'registry:\n  repositories:\n    a: { type: local, quota: 100 GIB }\n',
    says: /^caisson\.yaml:3:\d+: registry\.repositories\.a\.quota: expected a size: .*, like 10GiB$/,
  },
  {
    name: 'manifests that are larger than the registry can stand',
    yaml: 'registry:\n  limits: { manifestSize: 9MiB }\n',
    says: /^caisson\.yaml:2:13: registry\.limits\.manifestSize: expected at most 8MiB$/,
  },
  {
    name: 'a virtual repository that deploys to no member',
    yaml: 'registry:\n  repositories:\n    a: { type: local }\n    b: { type: virtual, members: [a], deployTo: c }\ngateway: { listeners: [{ port: 1 }] }\n',
    says: /^caisson\.yaml:4:\d+: b: deployTo must be one of the members$/,
  },
  {
    name: 'a virtual repository that deploys to what is not local',
    yaml: 'registry:\n  repositories:\n    a: { type: remote, url: "https://a.test" }\n    b: { type: virtual, members: [a], deployTo: a }\ngateway: { listeners: [{ port: 1 }] }\n',
    says: /^caisson\.yaml:4:\d+: b: deployTo must be a local repository, in which what is pushed stays, and a is remote$/,
  },
  {
    name: 'a virtual repository with a member of the V1 API',
    yaml: 'registry:\n  repositories:\n    a: { type: local, apiVersion: v1 }\n    b: { type: virtual, members: [a] }\ngateway: { listeners: [{ port: 1 }] }\n',
    says: /^caisson\.yaml:4:\d+: b: a has apiVersion v1, and what it has is not given by a virtual repository yet$/,
  },
  {
    name: 'a port whose V1 repository speaks V2',
    yaml: 'registry:\n  repositories:\n    a: { type: local }\n    b: { type: local, apiVersion: v1 }\ngateway:\n  listeners:\n    - { port: 1, v1: a, v2: b }\n',
    says: /^caisson\.yaml:7:\d+: gateway\.listeners\.0: v1: a speaks the v2 API; expected a repository with apiVersion v1/,
  },
  {
    name: 'virtual repositories that lead back to themselves',
    yaml: 'registry:\n  repositories:\n    x: { type: virtual, members: [a] }\n    a: { type: virtual, members: [b] }\n    b: { type: virtual, members: [c, x] }\n    c: { type: local }\ngateway: { listeners: [{ port: 1 }] }\n',
    says: /^caisson\.yaml:3:\d+: x: its members lead back to it: x > a > b > x$/,
  },
  {
    name: 'a group that would make every new user an admin',
    yaml: 'registry:\n  groups:\n    all: { autoJoin: true, admins: true }\n',
    says: /^caisson\.yaml:3:12: registry\.groups\.all\.autoJoin: every new user would be an admin: expected either autoJoin or admins$/,
  },
  {
    name: 'permissions in a repository that there is not',
    yaml: 'registry:\n  permissions:\n    team: { repositories: [docker-locl, ANY REMOTE] }\n',
    says: /^caisson\.yaml:3:13: registry\.permissions\.team\.repositories: there is no repository "docker-locl"; did you mean "docker-local"\?$/,
  },
  {
    name: 'an e-mail address that is none',
    yaml: 'registry:\n  users:\n    ci: { robot: true, email: nobody }\n',
    says: /^caisson\.yaml:3:24: registry\.users\.ci\.email: expected an address like alice@company\.com$/,
  },
  {
    name: 'a group of a user that could not be one',
    yaml: 'registry:\n  users:\n    ci: { robot: true, groups: ["all of us"] }\n',
    says: /^caisson\.yaml:3:\d+: registry\.users\.ci\.groups\.0: expected a name: at most 64 letters/,
  },
  {
    name: 'a group of a job that could not be one',
    yaml: oidcRule('groups: ["all of us"]'),
    says: /^caisson\.yaml:4:\d+: registry\.oidc\.gitlab\.workload\.rules\.0\.groups\.0: expected a name: at most 64 letters/,
  },
  {
    name: 'a scope of a job that is not understood',
    yaml: oidcRule('user: ci, scope: "artifact:docker-local:rw"'),
    says: /^caisson\.yaml:4:\d+: registry\.oidc\.gitlab\.workload\.rules\.0\.scope: the scope "artifact:docker-local:rw" is not understood: expected /,
  },
  {
    name: 'passwords that would go to a directory without TLS',
    yaml: 'registry:\n  ldap: { url: [ldap://localhost, ldap://ldap.example.com], users: { base: "" } }\n',
    says: /^caisson\.yaml:2:11: registry\.ldap\.url: passwords would go to ldap:\/\/ldap\.example\.com for everyone .*startTls: true.*plaintext: true$/,
  },
  {
    name: 'TLS within TLS to a directory',
    yaml: 'registry:\n  ldap: { url: ldaps://ldap.example.com, startTls: true, users: { base: "" } }\n',
    says: /^caisson\.yaml:2:42: registry\.ldap\.startTls: begins TLS on ldap:\/\/ connections; ldaps:\/\/ has it already$/,
  },
  {
    name: 'a directory that is none',
    yaml: 'registry:\n  ldap: { url: https://ldap.example.com, users: { base: "" } }\n',
    says: /^caisson\.yaml:2:11: registry\.ldap\.url: expected ldap:\/\/ or ldaps:\/\//,
  },
  {
    name: 'a filter that names nobody',
    yaml: 'registry:\n  ldap: { url: ldaps://ldap.example.com, users: { base: "", filter: (uid=*) } }\n',
    says: /^caisson\.yaml:2:61: registry\.ldap\.users\.filter: expected a filter with \{name\}/,
  },
  {
    name: 'who searches a directory, without the password',
    yaml: 'registry:\n  ldap: { url: ldaps://ldap.example.com, users: { base: "" }, bindDn: cn=caisson }\n',
    says: /^caisson\.yaml:2:63: registry\.ldap\.bindDn: needs a bindPassword/,
  },
  {
    name: 'a password for a directory, without who has it',
    yaml: 'registry:\n  ldap: { url: ldaps://ldap.example.com, users: { base: "" }, bindPassword: { env: LDAP } }\n',
    says: /^caisson\.yaml:2:63: registry\.ldap\.bindPassword: needs a bindDn/,
  },
  {
    name: 'a password for a directory in the configuration itself',
    yaml: 'registry:\n  ldap: { url: ldaps://l.test, users: { base: "" }, bindDn: cn=a, bindPassword: letmein }\n',
    says: /^caisson\.yaml:2:67: registry\.ldap\.bindPassword: (?!.*letmein)/,
  },
  {
    name: 'admins by a group of a directory that has no groups',
    yaml: 'registry:\n  ldap: { url: ldaps://ldap.example.com, users: { base: "" }, adminGroup: admins }\n',
    says: /^caisson\.yaml:2:63: registry\.ldap\.adminGroup: needs registry\.ldap\.groups/,
  },
]

for (const { name, yaml, says } of wrong) {
  test(`refused: ${name}`, () => {
    assert.match(complaint(yaml), says)
  })
}

test('several things that are wrong are all told at once', () => {
  const lines = complaint('gateway:\n  contxt: /x\nregistry:\n  lisen: x\n').split('\n')
  assert.equal(lines.length, 2)
})

test('without a file every default is there and lies in the data directory', async (t) => {
  const directory = await scratch(t)
  const config = await loadConfig({ data: join(directory, 'kept') })
  assert.equal(config.file, undefined)
  assert.deepEqual(Object.keys(config.registry.repositories), ['docker-local', 'docker-v1', 'docker-hub', 'docker'])
  assert.deepEqual(
    config.gateway.listeners.map(({ port }) => port),
    [8443, 5001],
  )
  assert.equal(config.gateway.upstream, `unix:${directory}/kept/registry.sock`)
  assert.equal(config.registry.storage.filesystem, `${directory}/kept/blobs`)
  assert.equal(config.registry.database, `sqlite:${directory}/kept/caisson.db`)
})

test('paths are relative to the file, but data/ is the data directory', async (t) => {
  const directory = await scratch(t)
  const file = join(directory, 'caisson.yaml')
  await writeFile(
    file,
    'gateway: { certificates: [{ cert: tls/a.crt, key: tls/a.key }] }\nregistry: { storage: { filesystem: data/b } }\n',
  )
  const config = await loadConfig({ config: file, data: '/kept' })
  assert.deepEqual(config.gateway.certificates, [
    { cert: join(directory, 'tls/a.crt'), key: join(directory, 'tls/a.key') },
  ])
  assert.equal(config.registry.storage.filesystem, '/kept/b')
})

test('of an OpenID Connect provider the paths become absolute, and nothing that only looks like one', async (t) => {
  const directory = await scratch(t)
  const file = join(directory, 'caisson.yaml')
  const rule = '{ name: main, claims: { file: a }, user: ci }'
  await writeFile(
    file,
    `registry:
  oidc:
    keycloak: { issuer: https://login.test, ca: tls/ca.crt, clientId: x, clientSecret: { file: data/secret } }
    gitlab: { issuer: https://gitlab.test, workload: { audience: x, rules: [${rule}] } }
`,
  )
  const { oidc } = (await loadConfig({ config: file, data: '/kept' })).registry
  assert.equal(oidc['keycloak']?.ca, join(directory, 'tls/ca.crt'))
  assert.deepEqual(oidc['keycloak'].clientSecret, { file: '/kept/secret' })
  assert.deepEqual(oidc['gitlab']?.workload?.rules[0]?.claims, { file: 'a' })
})

test('so are the paths of those who keep the users', async (t) => {
  const directory = await scratch(t)
  const file = join(directory, 'caisson.yaml')
  const ldap =
    '{ url: ldaps://ldap.test, ca: ldap.crt, users: { base: o=us }, bindDn: cn=us, bindPassword: { file: data/password } }'
  await writeFile(file, `registry: { htpasswd: { file: users }, ldap: ${ldap} }\n`)
  const { registry } = await loadConfig({ config: file, data: '/kept' })
  assert.deepEqual(registry.htpasswd, { file: join(directory, 'users'), groups: [] })
  assert.equal(registry.ldap?.ca, join(directory, 'ldap.crt'))
  assert.deepEqual(registry.ldap.bindPassword, { file: '/kept/password' })
})

test('a directory has an address or several, and groups one name or several', () => {
  const directory = (url: string, group: string) => `registry:
  ldap: { url: ${url}, users: { base: o=us }, groups: { base: o=us }, groupMapping: { "cn=a b": ${group} } }\n`
  const one = parseConfig(directory('ldap://localhost', 'devs'), 'one').registry.ldap
  const list = parseConfig(directory('[ldap://localhost]', '[devs]'), 'list').registry.ldap
  assert.deepEqual(one, list)
  assert.deepEqual([list?.url, list?.groupMapping], [['ldap://localhost'], { 'cn=a b': ['devs'] }])
})

test('a configuration file that cannot be read says how to name another', async () => {
  await assert.rejects(loadConfig({ config: '/nowhere/caisson.yaml' }), /\/nowhere\/caisson\.yaml.*--config/)
})

test('the effective configuration is itself a configuration with the same meaning', async () => {
  const config = await loadConfig({ data: '/kept' })
  const { stringify } = await import('yaml')
  const printed = stringify(effective(config))
  const again = parseConfig(printed, 'printed')
  assert.deepEqual(parse(printed), parse(stringify(effective({ ...config, ...again }))))
})

async function scratch(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'caisson-config-'))
  t.after(() => rm(directory, { recursive: true }))
  return directory
}

function oidcRule(fields: string): string {
  return `registry:
  oidc:
    gitlab:
      { issuer: https://gitlab.test, workload: { audience: x, rules: [{ name: main, claims: { ref: main }, ${fields} }] } }
`
}
