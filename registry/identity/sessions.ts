import { randomBytes } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { RegistryError } from '../domain/errors.ts'
import { cookieOf } from './cookies.ts'
import { memoryCache } from '../storage/memory-cache.ts'
import type { SourceUser } from './user-source.ts'

/** Someone who has logged in with a browser. What they may do is looked up when they ask for something. */
export interface Session {
  readonly user: string
  readonly provider: string
  /** When it ends if it is not used before. */
  readonly expiresAt: Date
}

export interface Sessions {
  /** The id is a secret, and a new one each time: what a browser had before the login is good for nothing. */
  begin(provider: string, user: SourceUser): Promise<string>
  /** Counts as use. Undefined when there is none of that id, or it has ended. */
  find(id: string): Promise<Session | undefined>
  end(id: string): Promise<void>
}

export const sessionCookie = 'caisson-session'
const lifeMs = 8 * 60 * 60_000
const idleMs = 60 * 60_000
const maxSessions = 10_000

/** Of this process: a restart ends them all. */
export function openSessions(now: () => number = Date.now): Sessions {
  const begun = memoryCache<Omit<Session, 'expiresAt'> & { readonly endsAtMs: number }>(maxSessions)
  // Apart, so that a request that runs while its session is ended does not bring it back.
  const lastUsed = memoryCache<number>(maxSessions)
  return {
    async begin(provider, { name }) {
      const id = randomBytes(32).toString('base64url')
      await lastUsed.set(id, now(), lifeMs)
      await begun.set(id, { user: name, provider, endsAtMs: now() + lifeMs }, lifeMs)
      return id
    },

    async find(id) {
      const [session, usedAtMs] = [await begun.get(id), await lastUsed.get(id)]
      if (!session || usedAtMs === undefined) return undefined
      if (now() >= session.endsAtMs || now() >= usedAtMs + idleMs) return undefined
      await lastUsed.set(id, now(), lifeMs)
      const { endsAtMs, ...known } = session
      return { ...known, expiresAt: new Date(Math.min(endsAtMs, now() + idleMs)) }
    },

    async end(id) {
      await begun.delete(id)
      await lastUsed.delete(id)
    },
  }
}

/** As much of a request as tells its session. */
export interface SessionRequest {
  readonly method: string
  readonly headers: IncomingHttpHeaders
}

/**
 * The session of a request; undefined without one. Throws DENIED for a request that may change something and does not
 * come from a page of `origin`, the registry's own: browsers send the cookie whoever made the page (CSRF).
 */
export async function sessionOf(
  sessions: Sessions,
  { method, headers }: SessionRequest,
  origin: string,
): Promise<Session | undefined> {
  const id = sessionId(headers)
  const session = id === undefined ? undefined : await sessions.find(id)
  if (session && !changesNothing.has(method) && !comesFrom(origin, headers))
    throw new RegistryError('DENIED', { message: `a session is good only for requests from the pages of ${origin}` })
  return session
}

/** Undefined when the request has none. */
export function sessionId(headers: IncomingHttpHeaders): string | undefined {
  return cookieOf(headers.cookie, sessionCookie)
}

const changesNothing: ReadonlySet<string> = new Set(['GET', 'HEAD'])

/** `Sec-Fetch-Site` is written by browsers alone and decides where there is one; they leave it out without TLS. */
function comesFrom(origin: string, headers: IncomingHttpHeaders): boolean {
  const site = headers['sec-fetch-site']
  return site === undefined ? headers.origin === origin : site === 'same-origin'
}
