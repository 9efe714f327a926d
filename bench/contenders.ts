import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { startCaisson, type Caisson } from '../test/helpers/caisson.ts'
import { freePort } from '../test/helpers/free-port.ts'
import { usageOf, type Usage } from './process-tree.ts'

/** One way to serve the same registry content over TLS on loopback. */
export interface Contender extends AsyncDisposable {
  readonly name: string
  /** `https://localhost:<port>`; `/v2/…` below it, or the static file. */
  readonly url: string
  /** For curl's --user; undefined when the peer asks for no login. */
  readonly login: string | undefined
  usage(): Usage
}

export async function startOurs(scratch: string): Promise<Contender & { readonly certificates: string }> {
  const gateway = { listeners: [{ port: 0, repository: 'docker-local' }] }
  const config = { gateway, registry: manyRules }
  const env = { BENCH_PASSWORD: developer.password }
  const caisson = await startCaisson({ dataDirectory: join(scratch, 'caisson'), config, env })
  return { name: 'caisson', certificates: join(caisson.dataDirectory, 'certs'), ...served(caisson) }
}

/** Somebody who may read by the last of many permission targets, and is in some groups. */
export const developer = { name: 'alice', password: 'password of alice' }
const groups = Array.from({ length: 10 }, (_, number) => `group-${number}`)
const others = Array.from({ length: 100 }, (_, number): [string, object] => [
  `target-${number}`,
  { repositories: ['ANY'], includes: [`team-${number}/**`], groups: { [`group-${number % 20}`]: ['read', 'deploy'] } },
])
const manyRules = {
  users: { [developer.name]: { password: { env: 'BENCH_PASSWORD' }, groups } },
  groups: Object.fromEntries(groups.map((name) => [name, {}])),
  permissions: {
    ...Object.fromEntries(others),
    bench: { repositories: ['docker-local'], users: { anonymous: ['read'] }, groups: { 'group-9': ['read'] } },
  },
}

/** Another checkout of ours, with its dependencies installed. */
export async function startOther(scratch: string, checkout: string, certificates: string): Promise<Contender> {
  const pair = { cert: join(certificates, 'server.crt'), key: join(certificates, 'server.key') }
  const gateway = { listeners: [{ port: 0, repository: 'docker-local' }], certificates: pair }
  const launcher = resolve(checkout, 'cli', 'caisson.js')
  const caisson = await startCaisson({ dataDirectory: join(scratch, 'other'), config: { gateway }, launcher })
  return { name: `caisson of ${checkout}`, ...served(caisson) }
}

function served(caisson: Caisson): Omit<Contender, 'name'> {
  return {
    url: `https://localhost:${caisson.ports[0]}`,
    login: `admin:${caisson.adminPassword}`,
    usage: () => usageOf([caisson.process.pid ?? 0]),
    [Symbol.asyncDispose]: () => caisson[Symbol.asyncDispose](),
  }
}

/** Debian's nginx in front of Debian's docker-registry, with the recipe of the docs; and the same nginx for a static file. */
export async function startNginx(
  scratch: string,
  certificates: string,
): Promise<Contender & { readonly files: string }> {
  const [port, registryPort] = [await freePort(), await freePort()]
  const directory = join(scratch, 'nginx')
  const files = join(directory, 'files')
  await mkdir(files, { recursive: true })
  await writeFile(join(directory, 'nginx.conf'), nginxConf({ directory, files, port, registryPort, certificates }))
  await writeFile(join(directory, 'registry.yml'), registryYaml(join(scratch, 'docker-registry'), registryPort))
  const registry = run('docker-registry', ['serve', join(directory, 'registry.yml')])
  const nginx = run('nginx', ['-p', directory, '-c', join(directory, 'nginx.conf')])
  await Promise.all([listening(registryPort), listening(port)])
  return {
    name: 'nginx + docker-registry',
    url: `https://localhost:${port}`,
    login: undefined,
    files,
    usage: () => usageOf([nginx, registry].map(({ pid }) => pid ?? 0)),
    [Symbol.asyncDispose]: async () => {
      await Promise.all([nginx, registry].map(end))
    },
  }
}

function run(program: string, args: readonly string[]): ChildProcess {
  return spawn(program, args, { stdio: ['ignore', 'ignore', 'ignore'] })
}

async function end(child: ChildProcess): Promise<void> {
  child.kill('SIGTERM')
  if (child.exitCode === null) await once(child, 'exit')
}

async function listening(port: number): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const socket = connect(port, '127.0.0.1')
    const [outcome] = await Promise.race([
      once(socket, 'connect').then(() => ['up']),
      once(socket, 'error').then(() => ['down']),
    ]).catch(() => ['down'])
    socket.destroy()
    if (outcome === 'up') return
    await pause(50)
  }
  throw new Error(`nothing listens on port ${port}`)
}

interface NginxPlan {
  readonly directory: string
  readonly files: string
  readonly port: number
  readonly registryPort: number
  readonly certificates: string
}

function nginxConf({ directory, files, port, registryPort, certificates }: NginxPlan): string {
  return `
daemon off;
user root;
pid ${directory}/nginx.pid;
error_log ${directory}/error.log;
worker_processes auto;
events { worker_connections 1024; }
http {
  access_log ${directory}/access.log combined;
  client_body_temp_path ${directory}/body;
  proxy_temp_path ${directory}/proxy;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 100000000;
  upstream registry { server 127.0.0.1:${registryPort}; keepalive 64; }
  server {
    listen ${port} ssl;
    listen [::]:${port} ssl;
    server_name localhost;
    ssl_certificate ${certificates}/server.crt;
    ssl_certificate_key ${certificates}/server.key;
    ssl_session_cache shared:tls:1m;
    client_max_body_size 0;
    chunked_transfer_encoding on;
    location /files/ { alias ${files}/; }
    location /v2/ {
      proxy_pass http://registry;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Original-URI $request_uri;
      proxy_read_timeout 900;
      proxy_request_buffering off;
      proxy_buffering off;
    }
  }
}
`
}

function registryYaml(directory: string, port: number): string {
  return `
version: 0.1
log: { level: error, accesslog: { disabled: true } }
storage:
  filesystem: { rootdirectory: ${directory} }
  cache: { blobdescriptor: inmemory }
http: { addr: "127.0.0.1:${port}" }
`
}
