import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** What may import what; `npm:` names packages. A folder that is not named may import nothing of ours. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  wire: ['wire'],
  certs: ['certs', 'gateway/config.ts', 'gateway/server-certificates.ts'],
  gateway: ['gateway', 'wire'],
  'registry/domain': ['registry/domain'],
  'registry/storage': ['registry/storage', 'registry/domain', 'wire'],
  'registry/repositories': [
    'registry/repositories',
    'registry/storage',
    'registry/domain',
    'registry/config.ts',
    'registry/config/secret-value.ts',
    'registry/metrics.ts',
    'wire',
  ],
  'registry/identity': [
    'registry/identity',
    'registry/storage/access-store.ts',
    'registry/storage/durable-files.ts',
    'registry/storage/memory-cache.ts',
    'registry/audit/audit-log.ts',
    'registry/domain',
    'registry/config.ts',
    'registry/config',
  ],
  'registry/jobs': [
    'registry/jobs',
    'registry/repositories/prefetch.ts',
    'registry/repositories/repository.ts',
    'registry/storage',
    'registry/domain',
    'registry/config.ts',
    'registry/metrics.ts',
  ],
  'registry/metrics.ts': ['registry/storage/garbage.ts'],
  'registry/api': [
    'registry/api',
    'registry/http',
    'registry/repositories',
    'registry/identity',
    'registry/audit/audit-log.ts',
    'registry/audit/audit-query.ts',
    'registry/storage/access-store.ts',
    'registry/storage/metadata-store.ts',
    'registry/domain',
    'registry/config.ts',
    'wire',
  ],
  'registry/http': [
    'registry/http',
    'registry/api',
    'registry/repositories',
    'registry/identity',
    'registry/storage/blob-store.ts',
    'registry/storage/memory-cache.ts',
    'registry/storage/metadata-store.ts',
    'registry/domain',
    'registry/config.ts',
    'registry/metrics.ts',
    'registry/jobs/garbage-collection.ts',
    'registry/audit/audit-log.ts',
    'wire',
  ],
  'registry/audit': ['registry/audit', 'registry/domain', 'registry/storage/durable-files.ts'],
  'registry/config.ts': ['registry/config', 'registry/domain', 'registry/storage/places.ts'],
  'registry/config': ['registry/config', 'registry/domain'],
  'registry/start.ts': ['registry', 'wire'],
  cli: ['cli', 'gateway', 'registry', 'certs', 'wire'],
}
const withoutPackages: Readonly<Record<string, readonly string[]>> = {
  gateway: ['koa', 'koa-router', 'kysely', 'node-forge'],
  wire: ['koa', 'http-proxy', 'kysely', 'zod'],
  'registry/domain': ['koa', 'kysely', 'zod', 'keyv', 'pino'],
  'registry/storage': ['koa', 'koa-router'],
  'registry/repositories': ['koa', 'koa-router', 'kysely'],
  'registry/http': ['kysely', 'http-proxy'],
}

const sources = globSync('{wire,certs,gateway,registry,cli}/**/*.ts', { cwd: root })

test('every module imports only what its ring may know', () => {
  const offences = sources.flatMap((file) => {
    const room = roomOf(file)
    return importsOf(file)
      .filter((target) => (target.startsWith('npm:') ? forbiddenPackage(room, target) : !mayImport(room, target)))
      .map((target) => `${file} -> ${target}`)
  })
  assert.deepEqual(offences, [])
})

test('no import chain comes back to where it started', () => {
  const done = new Set<string>()
  const walk = (file: string, chain: readonly string[]): readonly string[] => {
    if (chain.includes(file)) return [...chain.slice(chain.indexOf(file)), file]
    if (done.has(file)) return []
    for (const target of importsOf(file).filter((target) => !target.startsWith('npm:'))) {
      const cycle = walk(target, [...chain, file])
      if (cycle.length > 0) return cycle
    }
    done.add(file)
    return []
  }
  assert.deepEqual(sources.map((file) => walk(file, []).join(' -> ')).filter(Boolean), [])
})

function roomOf(file: string): string {
  const room = Object.keys(allowed).find((place) => file === place || file.startsWith(`${place}/`))
  assert.ok(room, `${file} lies in no room of the house`)
  return room
}

function mayImport(room: string, target: string): boolean {
  return (allowed[room] ?? []).some((place) => target === place || target.startsWith(`${place}/`))
}

function forbiddenPackage(room: string, target: string): boolean {
  return (withoutPackages[room] ?? []).includes(target.slice('npm:'.length))
}

/** Files relative to the root, packages as `npm:name`; types count too. */
function importsOf(file: string): readonly string[] {
  const text = readFileSync(join(root, file), 'utf8')
  return [...text.matchAll(/^(?:import|export)\b[^'"]*?from '([^']+)'|\bimport\('([^']+)'\)/gms)]
    .map(([, from, dynamic]) => from ?? dynamic ?? '')
    .filter((name) => !name.startsWith('node:'))
    .map((name) => (name.startsWith('.') ? normalize(join(dirname(file), name)) : `npm:${name}`))
}
