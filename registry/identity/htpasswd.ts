import { verify } from '@node-rs/bcrypt'
import { createHmac, hash, randomBytes } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import type { Logger } from 'pino'
import type { HtpasswdConfig } from '../config.ts'
import { atMost } from './at-most.ts'
import { parseHtpasswd, type HtpasswdLines } from './htpasswd-lines.ts'
import type { SourceUser, UserSource } from './user-source.ts'

const lookAgainMs = 1000
/** What was written less long ago may be half of it, and can be written again without looking any different. */
const settledMs = 2000
/** bcrypt runs on the four threads that files are read with, and argon2 has two of them. */
const concurrentHashes = 1

/** The path is absolute. Throws when the file cannot be read; later, the users stay who they were. */
export async function openHtpasswd(config: HtpasswdConfig, log: Logger, now = Date.now): Promise<UserSource> {
  const file = new HtpasswdFile(config.file, log, now)
  await file.open()
  const inTurn = atMost(concurrentHashes)
  const key = randomBytes(32)
  const user = (name: string, hashed: string): SourceUser => ({
    name,
    email: undefined,
    groups: config.groups,
    admin: false,
    passwordStamp: hash('sha256', hashed, 'base64url'),
  })

  /** Somebody's, always the same for a name: a user who is not there takes as long as one who is, and is as slow each time. */
  function decoy(name: string, hashes: ReadonlyMap<string, string>): string | undefined {
    const all = [...hashes.values()]
    return all[createHmac('sha256', key).update(name).digest().readUInt32BE() % all.length]
  }

  return {
    realm: 'htpasswd',
    revision: () => file.revision(),
    async checkPassword(name, password) {
      const hashes = await file.hashes()
      const own = hashes.get(name)
      const asked = own ?? decoy(name, hashes)
      const right = asked !== undefined && (await inTurn(() => verify(password, asked)))
      return right && own !== undefined ? user(name, own) : undefined
    },
    async findUser(name) {
      const own = (await file.hashes()).get(name)
      return own === undefined ? undefined : user(name, own)
    },
  }
}

class HtpasswdFile {
  readonly #file: string
  readonly #log: Logger
  readonly #now: () => number
  #text: string | undefined = undefined
  #hashes: HtpasswdLines['hashes'] = new Map()
  /** Of the file that was read last; undefined when it is to be read again whatever it looks like. */
  #version: string | undefined = undefined
  #looked: { readonly at: number; readonly done: Promise<void> } | undefined = undefined
  #complaint: string | undefined = undefined
  #revision = 0

  constructor(file: string, log: Logger, now: () => number) {
    this.#file = file
    this.#log = log
    this.#now = now
  }

  async open(): Promise<void> {
    try {
      await this.#look()
    } catch (cause) {
      throw new Error(`${this.#file}: the password file of registry.htpasswd cannot be read (${String(cause)})`, {
        cause,
      })
    }
  }

  /** As the file is now, give or take a second. */
  async hashes(): Promise<HtpasswdLines['hashes']> {
    // Either way: a clock that was set back must not keep it from being looked at.
    if (this.#looked === undefined || Math.abs(this.#now() - this.#looked.at) >= lookAgainMs)
      this.#looked = { at: this.#now(), done: this.#lookAgain() }
    await this.#looked.done
    return this.#hashes
  }

  async revision(): Promise<number> {
    await this.hashes()
    return this.#revision
  }

  async #lookAgain(): Promise<void> {
    try {
      await this.#look()
      this.#complaint = undefined
    } catch (error) {
      if (this.#complaint === String(error)) return
      this.#complaint = String(error)
      this.#log.error(
        { err: error, file: this.#file },
        'the password file cannot be read; its users stay who they were',
      )
    }
  }

  async #look(): Promise<void> {
    const { mtimeMs, size, ino } = await stat(this.#file)
    const version = `${mtimeMs} ${size} ${ino}`
    if (version === this.#version) return
    const text = await readFile(this.#file, 'utf8')
    const settled = Math.abs(this.#now() - mtimeMs) >= settledMs
    this.#version = settled ? version : undefined
    const halfWritten = !settled && !text.endsWith('\n')
    if (text !== this.#text && !(halfWritten && this.#text !== undefined)) this.#take(text)
  }

  #take(text: string): void {
    const { hashes, problems } = parseHtpasswd(text)
    this.#text = text
    this.#hashes = hashes
    this.#revision += 1
    const file = this.#file
    this.#log.info({ file, users: hashes.size }, 'password file read')
    if (problems.length > 0) this.#log.warn({ file }, `${file}: ${problems.join('. ')}`)
  }
}
