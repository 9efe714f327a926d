import { access, constants, mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { CaissonConfig } from './config.ts'

/** Makes the data directory and what the configuration puts elsewhere. Throws an Error that says what to do. */
export async function makeDirectories({ dataDirectory, gateway, registry }: CaissonConfig): Promise<void> {
  await make(dataDirectory, 'name another with --data')
  const { file } = gateway.accessLog
  if (file !== 'stdout' && file !== 'off') await make(dirname(file), 'change gateway.accessLog.file')
  for (const address of registry.listen) {
    if (address.startsWith('unix:')) await make(dirname(address.slice('unix:'.length)), 'change registry.listen')
  }
}

async function make(directory: string, remedy: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o750 })
    await access(directory, constants.W_OK | constants.X_OK)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(
      `the directory ${directory} cannot be written to (${reason}); make it writable for this user, or ${remedy}`,
      {
        cause: error,
      },
    )
  }
}
