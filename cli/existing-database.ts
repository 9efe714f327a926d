import { existsSync } from 'node:fs'
import type { RegistryConfig } from '../registry/config.ts'

/** The file of the database. Throws when there is none: one made by a command is most likely in a wrong place. */
export function existingDatabase(registry: RegistryConfig): string {
  const file = registry.database.slice('sqlite:'.length)
  if (existsSync(file)) return file
  throw new Error(`${file} does not exist yet: start caisson once, or name its data directory with --data`)
}
