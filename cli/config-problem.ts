/** Something wrong at a place of the configuration. */
export interface ConfigProblem {
  readonly path: readonly PropertyKey[]
  readonly message: string
}
