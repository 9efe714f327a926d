import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { start } from './program.ts'
import { temporaryDirectory } from './temporary-directory.ts'

/** Debian's docker-registry (distribution 2.8): somebody else's registry for ours to stand in front of. */
export interface Distribution extends AsyncDisposable {
  readonly port: number
  /** Its root directory on the disk. */
  readonly storage: string
}

export async function startDistribution(): Promise<Distribution> {
  await using started = new AsyncDisposableStack()
  const { path: directory } = started.use(await temporaryDirectory())
  const config = join(directory, 'config.yml')
  const storage = join(directory, 'data')
  await writeFile(config, configuration(storage))
  const registry = started.use(start('docker-registry', ['serve', config]))
  await registry.says(listening)
  const running = started.move()
  return {
    port: Number(listening.exec(registry.output())?.[1]),
    storage,
    [Symbol.asyncDispose]: async () => running.disposeAsync(),
  }
}

const listening = /listening on 127\.0\.0\.1:(\d+)/

const configuration = (data: string): string => `version: 0.1
log: { level: info }
storage: { filesystem: { rootdirectory: ${data} }, delete: { enabled: true } }
http: { addr: 127.0.0.1:0 }
`
