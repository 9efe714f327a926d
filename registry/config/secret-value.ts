import { readFile } from 'node:fs/promises'
import { z } from 'zod'

/** A secret is named in the configuration and lies elsewhere. Relative paths are resolved by whoever loads the file. */
export const secretValue = z.union(
  [z.strictObject({ env: z.string().min(1) }), z.strictObject({ file: z.string().min(1) })],
  'expected { env: NAME } or { file: path }: a secret does not stand in the configuration itself',
)

export type SecretValue = z.output<typeof secretValue>

/** Without the line end of a file. Throws when there is none, naming the place. */
export async function readSecret(secret: SecretValue, env = process.env): Promise<string> {
  const value = 'env' in secret ? env[secret.env] : (await readFile(secret.file, 'utf8')).replace(/\r?\n$/, '')
  if (value !== undefined && value !== '') return value
  throw new Error('env' in secret ? `the environment variable ${secret.env} is not set` : `${secret.file} is empty`)
}
