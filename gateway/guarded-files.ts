import { constants } from 'node:fs'
import { open, realpath, type FileHandle } from 'node:fs/promises'
import { basename, dirname, sep } from 'node:path'

const maxRememberedDirectories = 4096

/** Opens files below some directories and no others, wherever dot segments and symbolic links lead. */
export class GuardedFiles {
  readonly #roots: readonly string[]
  /** By directory as named: where it really is. A blob store has 256 of them, and looking costs as much as opening. */
  readonly #real = new Map<string, string>()

  /** The directories may come later: whoever writes the files may start after us. */
  constructor(roots: readonly string[]) {
    this.#roots = roots
  }

  /** Undefined when there is no such file. Throws when there may be one but not here, or a symbolic link. */
  async open(path: string): Promise<FileHandle | undefined> {
    const name = basename(path)
    if (name === '..' || name === '.') throw new Error(`${path} names no file`)
    try {
      const directory = await this.#directory(dirname(path))
      return await open(`${directory}${name}`, constants.O_RDONLY | constants.O_NOFOLLOW)
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error
    }
  }

  async #directory(named: string): Promise<string> {
    const known = this.#real.get(named)
    if (known !== undefined) return known
    const real = `${await realpath(named)}${sep}`
    if (!(await this.#isBelowRoot(real))) throw new Error(`${named} leads out of ${this.#roots.join(' and ')}`)
    if (this.#real.size >= maxRememberedDirectories) this.#real.clear()
    this.#real.set(named, real)
    return real
  }

  async #isBelowRoot(real: string): Promise<boolean> {
    for (const root of this.#roots) {
      try {
        if (real.startsWith(`${await realpath(root)}${sep}`)) return true
      } catch (error) {
        if (!isMissing(error)) throw error
      }
    }
    return false
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
