import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import { adminPassword } from './caisson.ts'
import { freePort } from './free-port.ts'
import { start } from './program.ts'
import { temporaryDirectory } from './temporary-directory.ts'

/** `caisson registry` on a TCP port, for a proxy that is not ours. */
export interface RegistryAlone extends AsyncDisposable {
  readonly port: number
  readonly dataDirectory: string
}

const launcher = fileURLToPath(new URL('../../cli/caisson.js', import.meta.url))

/** All local; `docker-v1` speaks the V1 API. `section` is what else stands under `registry:` in its configuration. */
export async function startRegistryAlone(
  repositories: readonly string[],
  section: object = {},
): Promise<RegistryAlone> {
  await using started = new AsyncDisposableStack()
  const { path: directory } = started.use(await temporaryDirectory())
  const port = await freePort()
  const local = repositories.map((key) => [key, { type: 'local', apiVersion: key === 'docker-v1' ? 'v1' : 'v2' }])
  const registry: unknown = { ...section, listen: `127.0.0.1:${port}`, repositories: Object.fromEntries(local) }
  const config = join(directory, 'caisson.yaml')
  await writeFile(config, stringify({ registry }))
  const env = { CAISSON_ADMIN_PASSWORD: adminPassword }
  const dataDirectory = join(directory, 'data')
  const args = [launcher, 'registry', '--config', config, '--data', dataDirectory]
  const process_ = started.use(start(process.execPath, args, { env, name: 'caisson registry' }))
  await process_.says(/"msg":"ready"/)
  const running = started.move()
  return { port, dataDirectory, [Symbol.asyncDispose]: async () => running.disposeAsync() }
}
