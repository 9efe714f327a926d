import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { attempt, printed, start } from './program.ts'
import type { Output, ProgramOptions, Running } from './program.ts'

/**
 * A machine as real clients see one: what runs in it has its own /etc, /run and /var/lib and its own process numbers,
 * so that names resolve, certificates are trusted and images are kept without touching the machine that the tests run
 * on. Every program gets the mounts anew in a name space of its own: nothing stays mounted, however the tests end.
 */
export class Machine implements AsyncDisposable {
  /** At the same place inside and outside. */
  readonly directory: string
  readonly #running: Running[] = []

  private constructor(directory: string) {
    this.directory = directory
  }

  /**
   * The names resolve to ::1 and to nothing else: docker verifies no certificate of 127.0.0.0/8, and falls back to
   * plain http there.
   */
  static async create(names: readonly string[]): Promise<Machine> {
    const machine = new Machine(await mkdtemp(join(tmpdir(), 'caisson-machine-')))
    for (const directory of ['etc', 'run/lock', 'lib', 'home', 'files']) {
      await mkdir(join(machine.directory, directory), { recursive: true })
    }
    await machine.#fillEtc(names)
    return machine
  }

  async #fillEtc(names: readonly string[]): Promise<void> {
    for (const file of ['passwd', 'group', 'ld.so.cache', 'mime.types']) {
      if (existsSync(join('/etc', file))) await copyFile(join('/etc', file), this.etc(file))
    }
    await symlink('/proc/self/mounts', this.etc('mtab'))
    await this.configure('nsswitch.conf', 'passwd: files\ngroup: files\nhosts: files\n')
    await this.configure('hosts', `127.0.0.1 localhost\n${names.map((name) => `::1 ${name}\n`).join('')}`)
    await this.configure('containers/policy.json', '{ "default": [{ "type": "insecureAcceptAnything" }] }')
    await this.configure('containers/registries.conf', 'unqualified-search-registries = []\n')
    // Mounts of one program are not seen by the next one, so layers are kept as plain directories.
    await this.configure('containers/storage.conf', storageConf)
    // The lock files of podman would be left behind in the shared /dev/shm.
    await this.configure(
      'containers/containers.conf',
      '[engine]\nlock_type = "file"\n[containers]\nlog_driver = "k8s-file"\n',
    )
  }

  etc(file: string): string {
    return join(this.directory, 'etc', file)
  }

  /** Writes a file below the machine's /etc. */
  async configure(file: string, content: string): Promise<void> {
    await mkdir(dirname(this.etc(file)), { recursive: true })
    await writeFile(this.etc(file), content)
  }

  /** Puts the authority where docker, podman, skopeo and buildah look for that of `registry`, a name with its port. */
  async trust(registry: string, authority: string): Promise<void> {
    for (const client of ['docker', 'containers']) {
      await mkdir(this.etc(`${client}/certs.d/${registry}`), { recursive: true })
      await copyFile(authority, this.etc(`${client}/certs.d/${registry}/ca.crt`))
    }
  }

  async run(command: string, args: readonly string[], options: ProgramOptions = {}): Promise<string> {
    return printed([command, ...args], await this.attempt(command, args, options))
  }

  /** For what is expected to be refused: resolves with the exit code and all that was said. */
  async attempt(command: string, args: readonly string[], options: ProgramOptions = {}): Promise<Output> {
    return attempt('unshare', this.#inside(command, args), this.#withHome(options))
  }

  /** Runs until the machine is disposed of. */
  start(command: string, args: readonly string[], options: ProgramOptions = {}): Running {
    const running = start('unshare', this.#inside(command, args), { ...this.#withHome(options), name: command })
    this.#running.push(running)
    return running
  }

  #inside(command: string, args: readonly string[]): readonly string[] {
    const nameSpaces = ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc']
    return [...nameSpaces, 'sh', '-c', enter, 'sh', this.directory, command, ...args]
  }

  #withHome(options: ProgramOptions): ProgramOptions {
    return { ...options, env: { HOME: join(this.directory, 'home'), ...options.env } }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const running of this.#running.toReversed()) await running[Symbol.asyncDispose]()
    await rm(this.directory, { recursive: true, force: true, maxRetries: 5 })
  }
}

const enter = `set -e
mount --bind "$1/etc" /etc
mount --bind "$1/run" /run
mount --bind "$1/lib" /var/lib
shift
exec "$@"`

const storageConf = `[storage]
driver = "vfs"
runroot = "/run/containers/storage"
graphroot = "/var/lib/containers/storage"
`
