import type { Logger } from 'pino'
import type { RegistryConfig } from '../config.ts'
import { openHtpasswd } from './htpasswd.ts'
import { openLdap } from './ldap.ts'
import type { UserSource } from './user-source.ts'

export interface UserSources extends AsyncDisposable {
  /** In the order they are to be asked in; none when none is configured. */
  readonly sources: readonly UserSource[]
}

type Configured = Pick<RegistryConfig, 'htpasswd' | 'ldap'>

/** Paths in `config` are absolute. Throws an error fit to be shown to the person who started it; nothing is left open then. */
export async function openUserSources({ htpasswd, ldap }: Configured, log: Logger): Promise<UserSources> {
  await using opened = new AsyncDisposableStack()
  const sources: UserSource[] = []
  if (htpasswd) sources.push(await openHtpasswd(htpasswd, log))
  if (ldap) sources.push(opened.use(await openLdap(ldap, log)))
  const open = opened.move()
  return { sources, [Symbol.asyncDispose]: async () => open.disposeAsync() }
}
