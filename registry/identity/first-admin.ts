import { randomInt } from 'node:crypto'
import { open, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { syncDirectory } from '../storage/durable-files.ts'
import type { AccessAdministration } from './access-administration.ts'
import { checkNewPassword, hashPassword } from './passwords.ts'

export interface FirstAdmin {
  readonly name: string
  readonly password: string
  /** Whether we chose the password; it is kept in `file` then. */
  readonly generated: boolean
  readonly file: string | undefined
}

const name = 'admin'

/** Makes the user `admin` unless there are users here, or an admin in the configuration file. Undefined then: nothing is changed. */
export async function ensureFirstAdmin(
  administration: AccessAdministration,
  dataDirectory: string,
  chosen: string | undefined,
): Promise<FirstAdmin | undefined> {
  const { declared } = administration
  const users = await administration.listUsers()
  if (users.some(({ name, admin }) => admin || !declared.users.has(name))) return undefined
  const password = chosen ?? generatePassword()
  checkNewPassword(password)

  const file = chosen === undefined ? join(dataDirectory, 'admin-password') : undefined
  // Before the user: killed in between, the next start makes another password instead of one that nobody knows.
  if (file !== undefined) await keep(file, password)
  const record = { kind: 'user', realm: 'internal', email: undefined, realmGroups: [], lastLogin: undefined } as const
  await administration.addUser({ ...record, name, passwordHash: await hashPassword(password), admin: true })
  return { name, password, generated: chosen === undefined, file }
}

/** Durable when it resolves: the user is, and what is kept of a password there does not tell it. */
async function keep(file: string, password: string): Promise<void> {
  await rm(file, { force: true })
  const handle = await open(file, 'wx', 0o600)
  try {
    await handle.writeFile(`${password}\n`)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await syncDirectory(dirname(file))
}

/** 24 of 32 characters that are not confused with others: 120 bits. */
function generatePassword(): string {
  const characters = 'abcdefghijkmnpqrstuvwxyz23456789'
  return Array.from({ length: 24 }, () => characters[randomInt(characters.length)]).join('')
}
