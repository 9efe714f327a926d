import { Command } from 'commander'
import { isUserName, userNameForm } from '../registry/domain/user-name.ts'
import { checkNewPassword, hashPassword } from '../registry/identity/passwords.ts'
import type { Users } from '../registry/storage/access-store.ts'
import { openSqliteMetadata } from '../registry/storage/sqlite-metadata.ts'
import { askPassword } from './ask-password.ts'
import { loadConfig } from './config.ts'
import { existingDatabase } from './existing-database.ts'

/** Works on the database itself, beside a running registry or without one. */
export function userCommand(): Command {
  const user = new Command('user').description('local users: add, change the password of, list and remove them')
  user
    .command('add <name>')
    .description('add a user; the password is asked for, or read from standard input')
    .option('--admin', 'who may do everything', false)
    .action(async (userName: string, options: { admin: boolean }, command: Command) => {
      if (!isUserName(userName)) throw new Error(`"${userName}" is not a user name: expected ${userNameForm}`)
      const passwordHash = await newPasswordHash()
      const added = await withUsers(command, (users) =>
        users.addUser({ ...blank, name: userName, passwordHash, admin: options.admin }),
      )
      if (!added)
        throw new Error(`there is a user ${userName} already; "caisson user password ${userName}" changes the password`)
      console.log(`added ${userName}`)
    })
  user
    .command('password <name>')
    .description('change the password, which is asked for or read from standard input')
    .action(async (userName: string, _options, command: Command) => {
      const passwordHash = await newPasswordHash()
      const changed = await withUsers(command, (users) => users.changeUser(userName, { passwordHash }))
      if (changed !== 'done') throw new Error(unknown(userName))
      console.log(`changed the password of ${userName}`)
    })
  user
    .command('list')
    .description('name every user')
    .action(async (_options, command: Command) => {
      const users = await withUsers(command, (users) => users.listUsers())
      for (const { name, admin } of users) console.log(admin ? `${name} (admin)` : name)
    })
  user
    .command('remove <name>')
    .description('remove a user, and with it its tokens and permissions')
    .action(async (userName: string, _options, command: Command) => {
      switch (await withUsers(command, (users) => users.removeUser(userName))) {
        case 'done':
          return console.log(`removed ${userName}`)
        case 'unknown':
          throw new Error(unknown(userName))
        case 'last admin':
          throw new Error(`${userName} is the last admin; add another one first: caisson user add --admin <name>`)
      }
    })
  return user
}

const blank = { kind: 'user', realm: 'internal', email: undefined, realmGroups: [], lastLogin: undefined } as const

async function newPasswordHash(): Promise<string> {
  const password = await askPassword()
  checkNewPassword(password)
  return await hashPassword(password)
}

function unknown(userName: string): string {
  return `there is no user ${userName}; "caisson user list" names them all`
}

async function withUsers<result>(command: Command, use: (users: Users) => Promise<result>): Promise<result> {
  const config = await loadConfig(command.optsWithGlobals())
  // A user made in a new database would take the place of the first admin.
  await using metadata = await openSqliteMetadata(existingDatabase(config))
  return await use(metadata)
}
