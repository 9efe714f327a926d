import type { Selectable } from 'kysely'
import { RegistryError } from '../domain/errors.ts'
import type { AccessTokens, TokenKind, TokenRecord } from './access-store.ts'
import type { MetadataDatabase, MetadataSchema } from './metadata-schema.ts'
import { parameter, prepare } from './prepared-query.ts'
import { unlessFull } from './unless-full.ts'
import { countAccessChange } from './sql-access-version.ts'

export function sqlAccessTokens(db: MetadataDatabase): AccessTokens {
  const all = db.selectFrom('access_tokens').selectAll()
  const find = prepare(all.where('id', '=', parameter<string>('id')))

  return {
    addToken: (token, keep) =>
      db.transaction().execute(async (db) => {
        await dropExpired(db, token)
        if (token.kind === 'access') await refuseMore(db, token.user, keep)
        else await dropOldest(db, token.user, token.kind, keep - 1)
        await db.insertInto('access_tokens').values(rowOf(token)).execute()
      }),

    findToken: async (id) => {
      const row = await find.first(db, { id })
      return row && tokenOf(row)
    },

    recordTokenUse: async (id, at) => {
      const used = db.updateTable('access_tokens').set({ last_used_at: at.toISOString() }).where('id', '=', id)
      await unlessFull(() => used.execute())
    },

    removeToken: (id) => remove(db, (tokens) => tokens.where('id', '=', id)).then((removed) => removed > 0),

    listTokens: async (user) => {
      const listed = user === undefined ? all : all.where('user_name', '=', user)
      return (await listed.orderBy('issued_at', 'desc').orderBy('id').execute()).map(tokenOf)
    },

    removeExpiredTokens: (before) => remove(db, (tokens) => tokens.where('expires_at', '<=', before.toISOString())),
  }
}

type Deletion = ReturnType<typeof deletionOf>

function deletionOf(db: MetadataDatabase) {
  return db.deleteFrom('access_tokens')
}

async function remove(db: MetadataDatabase, which: (tokens: Deletion) => Deletion): Promise<number> {
  return db.transaction().execute(async (db) => {
    const removed = Number((await which(deletionOf(db)).executeTakeFirstOrThrow()).numDeletedRows)
    if (removed > 0) await countAccessChange(db)
    return removed
  })
}

/** They are good for nothing, and must not stand in the way of others. */
async function dropExpired(db: MetadataDatabase, { user, kind, issuedAt }: TokenRecord): Promise<void> {
  await db
    .deleteFrom('access_tokens')
    .where('user_name', '=', user)
    .where('kind', '=', kind)
    .where('expires_at', '<=', issuedAt.toISOString())
    .execute()
}

async function refuseMore(db: MetadataDatabase, user: string, keep: number): Promise<void> {
  const tokens = db.selectFrom('access_tokens').where('user_name', '=', user).where('kind', '=', 'access')
  const { count } = await tokens.select((it) => it.fn.countAll<number>().as('count')).executeTakeFirstOrThrow()
  if (count < keep) return
  const message = `${user} has ${keep} access tokens already: revoke those that are not used, or give them an end`
  throw new RegistryError('CONFLICT', { message })
}

async function dropOldest(db: MetadataDatabase, user: string, kind: TokenKind, keep: number): Promise<void> {
  const surplus = await db
    .selectFrom('access_tokens')
    .where('user_name', '=', user)
    .where('kind', '=', kind)
    .orderBy('issued_at', 'desc')
    .orderBy('id', 'desc')
    .limit(-1)
    .offset(keep)
    .select('id')
    .execute()
  for (const { id } of surplus) await db.deleteFrom('access_tokens').where('id', '=', id).execute()
  if (surplus.length > 0) await countAccessChange(db)
}

type Row = Selectable<MetadataSchema['access_tokens']>

function rowOf(token: TokenRecord): Row {
  return {
    id: token.id,
    kind: token.kind,
    user_name: token.user,
    secret_hash: token.secretHash,
    scope: token.scope,
    stands_alone: token.standsAlone ? 1 : 0,
    password_stamp: token.passwordStamp ?? null,
    description: token.description,
    issued_at: token.issuedAt.toISOString(),
    expires_at: token.expiresAt?.toISOString() ?? null,
    last_used_at: token.lastUsedAt?.toISOString() ?? null,
  }
}

function tokenOf(row: Row): TokenRecord {
  return {
    id: row.id,
    kind: row.kind,
    user: row.user_name,
    secretHash: row.secret_hash,
    scope: row.scope,
    standsAlone: row.stands_alone === 1,
    passwordStamp: row.password_stamp ?? undefined,
    description: row.description,
    issuedAt: new Date(row.issued_at),
    expiresAt: row.expires_at === null ? undefined : new Date(row.expires_at),
    lastUsedAt: row.last_used_at === null ? undefined : new Date(row.last_used_at),
  }
}
