import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from './free-port.ts'
import type { Machine } from './machine.ts'
import type { IssuedCertificate } from './openssl-authority.ts'
import { installRecipe, writeOn } from './recipe.ts'

export interface Surroundings {
  readonly machine: Machine
  readonly certificate: IssuedCertificate
  /** Where the registry listens that the recipe puts itself in front of. */
  readonly registryPort: number
}

/** `host:port` of each repository behind the proxy. */
export interface Proxied {
  readonly 'docker-local': string
  readonly 'docker-prod'?: string
}

const certificatePath = '/etc/ssl/certs/artprod.company.com.crt'
const keyPath = '/etc/ssl/private/artprod.company.com.key'

export async function startNginx({ machine, certificate, registryPort }: Surroundings): Promise<Proxied> {
  const [https, other] = [await freePort(), await freePort()]
  const site = await installRecipe(machine, 'nginx.conf', {
    'listen 443 ': `listen ${https} `,
    'listen [::]:443 ': `listen [::]:${https} `,
    'listen 5001 ': `listen ${other} `,
    'listen [::]:5001 ': `listen [::]:${other} `,
    '127.0.0.1:8081': `127.0.0.1:${registryPort}`,
    '/var/log/nginx': machine.directory,
    [certificatePath]: certificate.cert,
    [keyPath]: certificate.key,
  })
  await mkdir(join(machine.directory, 'lib', 'nginx'), { recursive: true })
  const main = `daemon off; user root; pid /run/nginx.pid; error_log stderr notice; events {}\nhttp { include ${site}; }\n`
  await machine.start('nginx', ['-c', await writeOn(machine, 'main.conf', main)]).says(/start worker process \d/)
  return { 'docker-local': `artprod.company.com:${https}`, 'docker-prod': `artprod.company.com:${other}` }
}

export async function startApache({ machine, certificate, registryPort }: Surroundings): Promise<Proxied> {
  const https = await freePort()
  const site = await installRecipe(machine, 'apache.conf', {
    '*:443': `*:${https}`,
    '127.0.0.1:8081': `127.0.0.1:${registryPort}`,
    [certificatePath]: certificate.cert,
    [keyPath]: certificate.key,
    [certificatePath.replace('artprod', 'artprod2')]: certificate.cert,
    [keyPath.replace('artprod', 'artprod2')]: certificate.key,
  })
  const modules = ['mpm_event', 'authz_core', 'reqtimeout', 'socache_shmcb', 'ssl', 'proxy', 'proxy_http', 'headers']
  const main = `ServerRoot ${machine.directory}
DefaultRuntimeDir /run
PidFile /run/apache2.pid
ServerName localhost
User www-data
Group www-data
${modules.map((module) => `LoadModule ${module}_module /usr/lib/apache2/modules/mod_${module}.so\n`).join('')}
ErrorLog "|$/bin/cat >&2"
LogFormat "%h %l %u %t \\"%r\\" %>s %O" combined
Define APACHE_LOG_DIR ${machine.directory}
Listen ${https}
Include ${site}
`
  const args = ['-DFOREGROUND', '-f', await writeOn(machine, 'main.conf', main)]
  await machine.start('apache2', args).says(/resuming normal operations/)
  return { 'docker-local': `artprod.company.com:${https}`, 'docker-prod': `artprod2.company.com:${https}` }
}

export async function startHaproxy({ machine, certificate, registryPort }: Surroundings): Promise<Proxied> {
  const [http, https, docker] = [await freePort(), await freePort(), await freePort()]
  const file = await installRecipe(machine, 'haproxy.cfg', {
    'bind :::80 ': `bind :::${http} `,
    'bind :::443 ': `bind :::${https} `,
    'bind :::5001 ': `bind :::${docker} `,
    '/etc/haproxy/ssl/artprod.company.com.pem': certificate.both,
    '/dev/log local0': 'stderr format raw local0',
    '127.0.0.1:8081': `127.0.0.1:${registryPort}`,
  })
  await machine.start('haproxy', ['-W', '-db', '-f', file]).says(/Loading success/)
  return { 'docker-local': `artprod.company.com:${docker}` }
}
