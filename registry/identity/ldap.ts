import type { Entry } from 'ldapts'
import type { Logger } from 'pino'
import type { LdapConfig } from '../config.ts'
import { fillFilter, filterForAnyUser } from '../domain/ldap-filter.ts'
import { isUserName } from '../domain/user-name.ts'
import { textsOf } from './ldap-connection.ts'
import { LdapDirectory, type AskedServer } from './ldap-directory.ts'
import { memoryCache } from '../storage/memory-cache.ts'
import type { SourceUser, UserSource } from './user-source.ts'

const rememberMs = 60_000
const maxRemembered = 10_000
/** As many as an e-mail address has at most. */
const maxLoginLength = 320

/** The one entry that has this name. */
interface Person {
  readonly entry: Entry
  /** As it is spelled there. */
  readonly spelling: string
  /** As it is spelled here. */
  readonly name: string
}

/** Asks no server yet. Throws when what the configuration names cannot be read. */
export async function openLdap(config: LdapConfig, log: Logger): Promise<UserSource & AsyncDisposable> {
  return new LdapUsers(config, await LdapDirectory.open(config, log), log)
}

class LdapUsers implements UserSource, AsyncDisposable {
  readonly realm = 'ldap'
  readonly #config: LdapConfig
  readonly #directory: LdapDirectory
  readonly #log: Logger
  readonly #found = memoryCache<{ readonly user: SourceUser | undefined }>(maxRemembered)

  constructor(config: LdapConfig, directory: LdapDirectory, log: Logger) {
    this.#config = config
    this.#directory = directory
    this.#log = log
  }

  async checkPassword(login: string, password: string): Promise<SourceUser | undefined> {
    // RFC 4513 §5.1.2: a bind without a password succeeds, whoever it is for, and proves nothing.
    if (password === '' || login === '' || login.length > maxLoginLength) return undefined
    const user = await this.#directory.ask(async (asked) => {
      const person = await this.#whoLogsIn(asked, login)
      if (!person) return undefined
      const refusal = await asked.refusal(person.entry.dn, password)
      if (!refusal) return await this.#userOf(asked, person)
      this.#log.info({ dn: person.entry.dn, answer: refusal.message }, 'the directory refused a password')
      return undefined
    })
    if (user) await this.#found.set(user.name, { user }, rememberMs)
    return user
  }

  async findUser(name: string): Promise<SourceUser | undefined> {
    if (!isUserName(name)) return undefined
    const found = await this.#found.get(name.toLowerCase())
    if (found) return found.user
    const user = await this.#directory.ask(async (asked) => {
      const person = await this.#whoIs(asked, name.toLowerCase())
      return person && (await this.#userOf(asked, person))
    })
    await this.#found.set(name.toLowerCase(), { user }, rememberMs)
    return user
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#directory[Symbol.asyncDispose]()
  }

  async #whoLogsIn(asked: AskedServer, login: string): Promise<Person | undefined> {
    const found = await this.#onlyPerson(asked, fillFilter(this.#config.users.filter, { name: login }))
    if (!found) return undefined
    // One may log in by other attributes, which must not lead to the name of somebody else.
    const person = await this.#whoIs(asked, found.name)
    if (person?.entry.dn === found.entry.dn) return person
    this.#log.warn(
      { dn: found.entry.dn },
      'a user of the directory cannot log in: the name leads to no or another entry',
    )
    return undefined
  }

  async #whoIs(asked: AskedServer, name: string): Promise<Person | undefined> {
    const { filter, nameAttribute } = this.#config.users
    const person = await this.#onlyPerson(
      asked,
      `(&${fillFilter(`(${nameAttribute}={name})`, { name })}${filterForAnyUser(filter)})`,
    )
    return person?.name === name ? person : undefined
  }

  /** Undefined when there is none, or none that can be told from others. */
  async #onlyPerson(asked: AskedServer, filter: string): Promise<Person | undefined> {
    const { base, nameAttribute, emailAttribute } = this.#config.users
    const attributes = [nameAttribute, emailAttribute]
    const [entry, ...others] = await asked.search({ base, filter, attributes, maxEntries: 1 })
    if (!entry) return undefined
    const [spelling = '', ...more] = textsOf(entry, nameAttribute)
    if (others.length === 0 && more.length === 0 && isUserName(spelling) && entry.dn !== '')
      return { entry, spelling, name: spelling.toLowerCase() }
    const what = others.length > 0 ? 'several entries have the name' : `${nameAttribute} is not one user name`
    this.#log.warn({ dns: [entry, ...others].map(({ dn }) => dn) }, `a user of the directory cannot log in: ${what}`)
    return undefined
  }

  async #userOf(asked: AskedServer, person: Person): Promise<SourceUser> {
    const { users, groupMapping, adminGroup } = this.#config
    const groups = await this.#groupsOf(asked, person)
    const mapping = groupMapping && new Map(Object.entries(groupMapping).map(([group, ours]) => [folded(group), ours]))
    return {
      name: person.name,
      email: textsOf(person.entry, users.emailAttribute)[0],
      groups: [...new Set(groups.flatMap((group) => (mapping ? (mapping.get(folded(group)) ?? []) : [group])))],
      admin: adminGroup !== undefined && groups.some((group) => folded(group) === folded(adminGroup)),
    }
  }

  async #groupsOf(asked: AskedServer, { entry, spelling }: Person): Promise<readonly string[]> {
    const { groups } = this.#config
    if (!groups) return []
    const filter = fillFilter(groups.filter, { dn: entry.dn, name: spelling })
    const entries = await asked.search({ base: groups.base, filter, attributes: [groups.nameAttribute] })
    return entries.flatMap((group) => textsOf(group, groups.nameAttribute))
  }
}

/** Directories compare names without regard to case. */
function folded(name: string): string {
  return name.toLowerCase()
}
