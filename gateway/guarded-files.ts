import { constants } from 'node:fs'
import { open, realpath, type FileHandle } from 'node:fs/promises'
import { basename, dirname, sep } from 'node:path'

const maxRememberedDirectories = 4096

/** Opens files below a directory and no others, wherever dot segments and symbolic links lead. */
export class GuardedFiles {
  readonly #root: string
  /** By directory as named: where it really is. A blob store has 256 of them, and looking costs as much as opening. */
  readonly #real = new Map<string, string>()

  /** The directory may come later: whoever writes the files may start after us. */
  constructor(root: string) {
    this.#root = root
  }

  /** Undefined when there is no such file. Throws when there may be one but not here, or a symbolic link. */
  async open(path: string): Promise<FileHandle | undefined> {
    const name = basename(path)
    if (name === '..' || name === '.') throw new Error(`${path} names no file`)
    try {
      const directory = await this.#directory(dirname(path))
      return await open(`${directory}${name}`, constants.O_RDONLY | constants.O_NOFOLLOW)
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
      throw error
    }
  }

  async #directory(named: string): Promise<string> {
    const known = this.#real.get(named)
    if (known !== undefined) return known
    const root = `${await realpath(this.#root)}${sep}`
    const real = `${await realpath(named)}${sep}`
    if (!real.startsWith(root)) throw new Error(`${named} leads out of ${this.#root}`)
    if (this.#real.size >= maxRememberedDirectories) this.#real.clear()
    this.#real.set(named, real)
    return real
  }
}
