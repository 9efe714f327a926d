/** What a Connection header names as belonging to this hop alone; undefined for the usual ones, which name nothing. */
export function connectionOptions(connection: string | undefined): ReadonlySet<string> | undefined {
  if (connection === undefined || connection === 'close' || connection.toLowerCase() === 'keep-alive') return undefined
  return new Set(connection.split(',').map((option) => option.trim().toLowerCase()))
}
