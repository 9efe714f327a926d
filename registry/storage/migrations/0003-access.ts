import { sql, type Kysely } from 'kysely'

/**
 * Groups, permission targets and tokens. `access_version` counts what changes about users, groups and targets, so that whoever keeps
 * something of them in memory knows when it has become old. Lists are JSON: they are read and written whole.
 */
const statements = [
  sql`create table users_0003 (
    name text primary key,
    kind text not null check (kind in ('user', 'robot')),
    realm text not null,
    password_hash text,
    admin integer not null check (admin in (0, 1)),
    email text,
    realm_groups text not null,
    last_login text
  )`,
  sql`insert into users_0003 (name, kind, realm, password_hash, admin, realm_groups)
    select name, 'user', 'internal', password_hash, admin, '[]' from users`,
  sql`drop table users`,
  sql`alter table users_0003 rename to users`,
  sql`create index admins on users (name) where admin = 1`,
  sql`create table groups (
    name text primary key,
    description text not null,
    auto_join integer not null check (auto_join in (0, 1)),
    admins integer not null check (admins in (0, 1))
  )`,
  sql`create table group_members (
    group_name text not null,
    user_name text not null,
    primary key (user_name, group_name)
  )`,
  sql`create index group_members_by_group on group_members (group_name, user_name)`,
  sql`create table permission_targets (
    name text primary key,
    repositories text not null,
    includes text not null,
    excludes text not null
  )`,
  sql`create table permission_grants (
    target_name text not null references permission_targets (name) on delete cascade,
    holder_kind text not null check (holder_kind in ('user', 'group')),
    holder_name text not null,
    actions text not null,
    primary key (target_name, holder_kind, holder_name)
  )`,
  sql`create index permission_grants_by_holder on permission_grants (holder_kind, holder_name)`,
  sql`create table access_tokens (
    id text primary key,
    kind text not null check (kind in ('access', 'refresh', 'api key', 'encrypted password')),
    user_name text not null,
    secret_hash text not null,
    scope text not null,
    stands_alone integer not null check (stands_alone in (0, 1)),
    password_stamp text,
    description text not null,
    issued_at text not null,
    expires_at text,
    last_used_at text
  )`,
  sql`create index access_tokens_by_user on access_tokens (user_name, kind, issued_at, id)`,
  sql`create index access_tokens_by_expiry on access_tokens (expires_at) where expires_at is not null`,
  sql`create table signing_keys (
    id text primary key,
    jwk text not null,
    made_at text not null
  )`,
  sql`create table access_version (
    only_row integer primary key check (only_row = 1),
    version integer not null
  )`,
  sql`insert into access_version (only_row, version) values (1, 1)`,
]

/**
 * Who was a user before could read everywhere and push, over what was there too, and anonymous could read: it stays so until somebody
 * changes it. To push over a tag is to delete what it was on.
 */
const forThoseBefore = [
  sql`insert into groups (name, description, auto_join, admins)
    select 'users', 'Every user, unless taken out.', 1, 0 where exists (select 1 from users)`,
  sql`insert into group_members (group_name, user_name) select 'users', name from users`,
  sql`insert into permission_targets (name, repositories, includes, excludes)
    select 'Anything', '["ANY"]', '["**"]', '[]' where exists (select 1 from users)`,
  sql`insert into permission_grants (target_name, holder_kind, holder_name, actions)
    select name, 'user', 'anonymous', '["read"]' from permission_targets`,
  sql`insert into permission_grants (target_name, holder_kind, holder_name, actions)
    select name, 'group', 'users', '["read","annotate","deploy","delete"]' from permission_targets`,
  sql`insert into secrets (name, value) select 'default-permissions', 'made' where exists (select 1 from users)`,
  // It signed tokens of an hour; a key of the new kind is made when one is wanted.
  sql`delete from secrets where name = 'token-signing-key'`,
]

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of [...statements, ...forThoseBefore]) await statement.execute(db)
}
