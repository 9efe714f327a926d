import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'

/** The programs that tests drive, and the Debian package of each. */
const packages = {
  apache2: 'apache2',
  buildah: 'buildah',
  containerd: 'containerd',
  ctr: 'containerd',
  docker: 'docker.io',
  'docker-registry': 'docker-registry',
  dockerd: 'docker.io',
  haproxy: 'haproxy',
  nginx: 'nginx',
  openssl: 'openssl',
  podman: 'podman',
  runc: 'runc',
  setpriv: 'util-linux',
  skopeo: 'skopeo',
  tar: 'tar',
  unshare: 'util-linux',
} as const

export type Program = keyof typeof packages

const directories = [...(process.env.PATH ?? '').split(':'), '/usr/local/sbin', '/usr/sbin', '/sbin']

/**
 * For the `skip` option of a test that drives real programs in a machine of their own: false when it can run, else the
 * sentence that says why not. In CI it throws instead, so that no green run hides that nothing was tried.
 */
export function without(...programs: readonly Program[]): string | false {
  const reason = missing(programs)
  if (reason !== undefined && process.env.CI === 'true') throw new Error(reason)
  return reason ?? false
}

function missing(programs: readonly Program[]): string | undefined {
  const absent = [...programs, 'setpriv', 'unshare', 'tar', 'openssl'] as const
  const first = absent.find((program) => !isInstalled(program))
  if (first !== undefined) return `${first} is missing: apt-get install ${packages[first]}`
  if (process.getuid?.() !== 0) return 'real clients run in mount name spaces of their own: run the tests as root'
  return undefined
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
