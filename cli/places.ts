import type { Places } from '../registry/jobs/places.ts'
import type { CaissonConfig } from './config.ts'

export function placesOf({ dataDirectory, registry }: CaissonConfig): Places {
  return {
    dataDirectory,
    database: registry.database.slice('sqlite:'.length),
    blobs: registry.storage.filesystem,
  }
}
