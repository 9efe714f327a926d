import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { start } from './program.ts'

/** Debian's docker-registry (distribution 2.8): somebody else's registry for ours to stand in front of. */
export interface Distribution extends AsyncDisposable {
  readonly port: number
}

export async function startDistribution(): Promise<Distribution> {
  const directory = await mkdtemp(join(tmpdir(), 'caisson-distribution-'))
  const config = join(directory, 'config.yml')
  await writeFile(config, configuration(join(directory, 'data')))
  const registry = start('docker-registry', ['serve', config])
  await registry.says(listening)
  return {
    port: Number(listening.exec(registry.output())?.[1]),
    [Symbol.asyncDispose]: async () => {
      await registry[Symbol.asyncDispose]()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

const listening = /listening on 127\.0\.0\.1:(\d+)/

const configuration = (data: string): string => `version: 0.1
log: { level: info }
storage: { filesystem: { rootdirectory: ${data} }, delete: { enabled: true } }
http: { addr: 127.0.0.1:0 }
`
