import { sql, type Compilable, type RawBuilder } from 'kysely'
import type { MetadataDatabase } from './metadata-schema.ts'

class Parameter {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

/** Stands in a query that is built once for a value that is given each time. */
export function parameter<value>(name: string): RawBuilder<value> {
  return sql<value>`${new Parameter(name)}`
}

/** Building a query costs more than running it: these are built at the start. */
export interface PreparedQuery<row> {
  /** `db` is the store's own, or a transaction on it. */
  all(db: MetadataDatabase, values: Readonly<Record<string, unknown>>): Promise<readonly row[]>
  first(db: MetadataDatabase, values: Readonly<Record<string, unknown>>): Promise<row | undefined>
}

export function prepare<row>(query: Compilable<row>): PreparedQuery<row> {
  const compiled = query.compile()
  const all: PreparedQuery<row>['all'] = async (db, values) => {
    const parameters = compiled.parameters.map((value) => (value instanceof Parameter ? values[value.name] : value))
    return (await db.executeQuery<row>({ ...compiled, parameters })).rows
  }
  return { all, first: async (db, values) => (await all(db, values))[0] }
}
