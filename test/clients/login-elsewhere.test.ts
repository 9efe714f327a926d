import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { without } from '../helpers/available.ts'
import { loginOf, openCompany } from '../helpers/company.ts'
import type { Company } from '../helpers/company.ts'
import { startDockerEngine } from '../helpers/docker-engine.ts'
import type { DockerClient, DockerEngine } from '../helpers/docker-engine.ts'
import { createAuthority } from '../helpers/openssl-authority.ts'
import { refused } from '../helpers/outcome.ts'
import { run } from '../helpers/program.ts'
import { searcher, startSlapd, suffix } from '../helpers/slapd.ts'
import { writeTar } from '../helpers/small-tar.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'

const programs = ['docker', 'dockerd', 'containerd', 'runc', 'htpasswd', 'slapd'] as const
const [people, groups] = [`ou=people,${suffix}`, `ou=groups,${suffix}`]
const person = (name: string) =>
  `dn: uid=${name},${people}\nobjectClass: inetOrgPerson\ncn: x\nsn: x\nuserPassword: ${loginOf(name).password}\n`
const entries = `dn: ${people}
objectClass: organizationalUnit

dn: ${groups}
objectClass: organizationalUnit

${person('ludwig')}
${person('lena')}
dn: cn=devs,${groups}
objectClass: groupOfNames
member: uid=ludwig,${people}
`

describe('docker with users that are kept elsewhere', { skip: without(...programs) }, () => {
  const resources = new AsyncDisposableStack()
  let company: Company
  let engine: DockerEngine
  let passwordFile: string

  before(async () => {
    const authority = resources.use(await createAuthority())
    const slapd = resources.use(await startSlapd(entries, await authority.issue(['localhost'])))
    passwordFile = join(resources.use(await temporaryDirectory()).path, 'users')
    await keepInFile('hanna', 'hugo')
    company = resources.use(
      await openCompany({
        users: [],
        repositories: {
          files: { users: {}, groups: { guests: ['read', 'deploy'] } },
          trees: { users: {}, groups: { developers: ['read', 'deploy'] } },
        },
        registry: {
          htpasswd: { file: passwordFile, groups: ['guests'] },
          ldap: {
            url: `ldap://127.0.0.1:${slapd.plainPort}`,
            bindDn: searcher.dn,
            bindPassword: { env: 'PASSWORD_OF_SEARCHER' },
            users: { base: people },
            groups: { base: groups },
            groupMapping: { devs: 'developers' },
          },
        },
        env: { PASSWORD_OF_SEARCHER: searcher.password },
      }),
    )
    engine = await startDockerEngine(company.machine)
  })
  after(async () => resources.disposeAsync())

  async function keepInFile(...names: readonly string[]): Promise<void> {
    const lines = names.map((name) => run('htpasswd', ['-Bbn', name, loginOf(name).password]))
    await writeFile(passwordFile, `${(await Promise.all(lines)).join('\n')}\n`)
  }

  test('a user of a password file logs in and pushes, until the line is gone', async () => {
    const hanna = await engine.client()
    refused(await logIn(hanna, 'files', 'hanna', 'not the password'), /unauthorized: wrong user name or password/)
    assert.match((await logIn(hanna, 'files', 'hanna')).stdout, /Login Succeeded/)
    await pushAndPull(hanna, 'files', 'of-a-file')

    await keepInFile('hugo')
    const stranger = await engine.client()
    // The file is looked at once a second.
    while ((await logIn(stranger, 'files', 'hanna')).exitCode === 0) continue

    refused(await logIn(stranger, 'files', 'hanna'), /unauthorized: wrong user name or password/)
    const image = `${company.host('files')}/of-a-file:1`
    refused(await hanna.attempt('push', image), /unauthorized: wrong user name or password/)
    assert.match((await logIn(stranger, 'files', 'hugo')).stdout, /Login Succeeded/)
    await stranger.run('pull', image)
  })

  test('a user of an LDAP directory pushes where a group that is mapped may, and another one does not', async () => {
    const [ludwig, lena] = [await engine.client(), await engine.client()]
    refused(await logIn(ludwig, 'trees', 'ludwig', 'not the password'), /unauthorized: wrong user name or password/)
    assert.match((await logIn(ludwig, 'trees', 'ludwig')).stdout, /Login Succeeded/)
    await pushAndPull(ludwig, 'trees', 'of-a-directory')
    assert.match((await logIn(lena, 'trees', 'lena')).stdout, /Login Succeeded/)

    const image = `${company.host('trees')}/of-a-directory:1`
    refused(await lena.attempt('push', image), /denied: lena may not deploy in of-a-directory of the repository trees/)
    refused(await lena.attempt('pull', image), /denied: lena may not read in of-a-directory:1 of the repository trees/)
    assert.match((await logIn(ludwig, 'files', 'ludwig')).stdout, /Login Succeeded/)
    await ludwig.run('tag', image, `${company.host('files')}/of-a-directory:1`)
    refused(await ludwig.attempt('push', `${company.host('files')}/of-a-directory:1`), /denied: ludwig may not deploy/)
  })

  async function logIn(client: DockerClient, repository: string, name: string, password = loginOf(name).password) {
    return client.login(company.host(repository), name, password)
  }

  async function pushAndPull(client: DockerClient, repository: string, name: string): Promise<void> {
    const image = `${company.host(repository)}/${name}:1`
    await client.run('import', await writeTar(company.machine, image), image)
    await client.run('push', image)
    await client.run('rmi', image)
    assert.match(await client.run('pull', image), /Pull complete/)
  }
})
