import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'

/** The programs that tests drive, and the Debian package of each. */
const packages = {
  apache2: 'apache2',
  buildah: 'buildah',
  cc: 'gcc libc6-dev',
  containerd: 'containerd',
  ctr: 'containerd',
  docker: 'docker.io',
  'docker-registry': 'docker-registry',
  dockerd: 'docker.io',
  go: 'golang',
  haproxy: 'haproxy',
  htpasswd: 'apache2-utils',
  nginx: 'nginx',
  openssl: 'openssl',
  podman: 'podman',
  runc: 'runc',
  setpriv: 'util-linux',
  skopeo: 'skopeo',
  slapd: 'slapd',
  tar: 'tar',
  umoci: 'umoci',
  unshare: 'util-linux',
} as const

export type Program = keyof typeof packages

const directories = [
  ...(process.env.PATH ?? '').split(':'),
  '/usr/local/sbin',
  '/usr/sbin',
  '/sbin',
  '/usr/local/go/bin',
]

/**
 * For the `skip` option of a test that drives real programs in a machine of their own: false when it can run, else the
 * sentence that says why not. In CI it throws instead, so that no green run hides that nothing was tried.
 */
export function without(...programs: readonly Program[]): string | false {
  const asRoot =
    process.getuid?.() === 0 ? undefined : 'real clients run in mount name spaces of their own: run the tests as root'
  return unlessInCi(missing([...programs, 'unshare', 'tar', 'openssl']) ?? asRoot)
}

/** The same for programs that any user can start where they are. */
export function withoutPrograms(...programs: readonly Program[]): string | false {
  return unlessInCi(missing(programs))
}

function unlessInCi(reason: string | undefined): string | false {
  if (reason !== undefined && process.env.CI === 'true') throw new Error(reason)
  return reason ?? false
}

function missing(programs: readonly Program[]): string | undefined {
  const absent = [...programs, 'setpriv' as const].find((program) => !isInstalled(program))
  return absent && `${absent} is missing: apt-get install ${packages[absent]}`
}

function isInstalled(program: string): boolean {
  return directories.some((directory) => isExecutable(join(directory, program)))
}

export function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
