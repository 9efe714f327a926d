import type { Property } from '../../domain/property.ts'

export function property(name: string, ...values: readonly string[]): Property {
  return { name, values }
}

/** In the order of their names. What is known counts before what is said. */
export function merged(said: readonly Property[], known: readonly Property[]): readonly Property[] {
  const byName = new Map([...said, ...known].map((property) => [property.name, property]))
  return [...byName.values()].sort((one, other) => (one.name < other.name ? -1 : 1))
}
