/** Where everything is kept; absolute paths. */
export interface Places {
  readonly dataDirectory: string
  /** File of the database. */
  readonly database: string
  /** Directory of the blobs. */
  readonly blobs: string
}
