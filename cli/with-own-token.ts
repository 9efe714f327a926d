import type { Command } from 'commander'
import { changeAccess, existingUser } from './access.ts'

const lifeSeconds = 24 * 60 * 60

/** A token of the registry on this machine that is good for as long as the command runs. */
export async function withOwnToken(
  command: Command,
  { user, description }: { readonly user: string; readonly description: string },
  use: (token: string) => Promise<void>,
): Promise<void> {
  await changeAccess(command, async (access) => {
    await existingUser(access, user)
    const made = await access.tokens.make({ user, kind: 'access', description, lifeSeconds })
    await access.record({ type: 'token.made', subject: made.record.id, action: 'access', reason: `for ${user}` })
    try {
      await use(made.token)
    } finally {
      await access.tokens.revoke(made.record.id)
      await access.record({ type: 'token.revoked', subject: made.record.id, action: 'access', reason: `for ${user}` })
    }
  })
}
