import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as elapse } from 'node:timers/promises'
import { freePort } from './free-port.ts'
import type { IssuedCertificate } from './openssl-authority.ts'
import { run, start, type Running } from './program.ts'
import { temporaryDirectory } from './temporary-directory.ts'

/** OpenLDAP's server with a directory of its own below `dc=us,dc=test`, whose entries stay when it is stopped. */
export interface Slapd extends AsyncDisposable {
  readonly plainPort: number
  readonly tlsPort: number
  readonly stop: () => Promise<void>
  readonly startAgain: () => Promise<void>
  /** A line for every connection and operation since it was started. */
  readonly log: () => string
  /** Resolves when it stands in the log. */
  readonly says: (pattern: RegExp) => Promise<void>
}

export const suffix = 'dc=us,dc=test'
/** Who may search; everybody else may only bind, or search below {@link open}. */
export const searcher = { dn: `cn=searcher,${suffix}`, password: 'of the searcher' }
export const open = `ou=open,${suffix}`

/** `entries` is LDIF. */
export async function startSlapd(entries: string, certificate: IssuedCertificate): Promise<Slapd> {
  await using made = new AsyncDisposableStack()
  const { path: directory } = made.use(await temporaryDirectory())
  await mkdir(join(directory, 'db'))
  const [config, ldif] = [join(directory, 'slapd.conf'), join(directory, 'entries.ldif')]
  await writeFile(config, configuration(directory, certificate))
  await writeFile(ldif, `${ground}\n${entries}`)
  await run('slapadd', ['-q', '-f', config, '-l', ldif])

  const [plainPort, tlsPort] = [await freePort(), await freePort()]
  const listen = `ldap://127.0.0.1:${plainPort} ldaps://127.0.0.1:${tlsPort}`
  const startOne = async (): Promise<Running> => {
    // It sets aside memory for every file it may open, which can be a billion.
    const slapd = start('prlimit', ['--nofile=1024', 'slapd', '-d', 'stats', '-f', config, '-h', listen])
    await slapd.says(/slapd starting/)
    await Promise.race([accepting(plainPort), slapd.ended])
    return slapd
  }
  let running = await startOne()
  made.defer(async () => running[Symbol.asyncDispose]())
  const all = made.move()
  return {
    plainPort,
    tlsPort,
    stop: async () => running[Symbol.asyncDispose](),
    startAgain: async () => void (running = await startOne()),
    log: () => running.output(),
    says: async (pattern) => running.says(pattern),
    [Symbol.asyncDispose]: async () => all.disposeAsync(),
  }
}

/** It says that it starts before it listens. */
async function accepting(port: number): Promise<void> {
  for (const deadline = performance.now() + 10_000; performance.now() < deadline; await elapse(10)) {
    const socket = connect(port, '127.0.0.1')
    const accepted = await once(socket, 'connect').then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (accepted) return
  }
  throw new Error(`slapd does not listen on port ${port}`)
}

const configuration = (directory: string, { cert, key }: IssuedCertificate): string => `
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile ${join(directory, 'pid')}
TLSCertificateFile ${cert}
TLSCertificateKeyFile ${key}

database mdb
maxsize 16777216
suffix ${suffix}
directory ${join(directory, 'db')}
index uid,mail,member eq
access to attrs=userPassword by anonymous auth by * none
access to dn.subtree=${open} by * read
access to * by dn.exact=${searcher.dn} read by anonymous auth by * none
`

const ground = `dn: ${suffix}
objectClass: dcObject
objectClass: organization
o: us

dn: ${searcher.dn}
objectClass: organizationalRole
objectClass: simpleSecurityObject
userPassword: ${searcher.password}
`
