import assert from 'node:assert/strict'
import { statfsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { without } from '../helpers/available.ts'
import { adminPassword } from '../helpers/caisson.ts'
import { startDockerEngine } from '../helpers/docker-engine.ts'
import type { Machine } from '../helpers/machine.ts'
import { familyOf, memoryOf, watchMemory } from '../helpers/memory.ts'
import { openSite } from '../helpers/site.ts'

const GiB = 1024 ** 3
const MiB = 1024 ** 2
const layerBytes = 5 * GiB
const neededBytes = 30 * GiB
const minutes = 60_000

const skip = without('docker', 'dockerd') || withoutRoom()

test(
  'docker pushes and pulls a layer of 5 GiB, and no process grows by 150 MiB',
  { skip, timeout: 14 * minutes },
  async (t) => {
    await using site = await openSite()
    const { registry, prefix } = site.docks[0] ?? assert.fail()
    const engine = await startDockerEngine(site.machine)
    const person = await engine.client(undefined, 10 * minutes)
    await person.login(registry, 'admin', adminPassword)
    const image = `${prefix}/big:1`
    await importNoise(site.machine, image)
    const id = await person.run('image', 'inspect', '--format', '{{.Id}}', image)
    const processes = await familyOf(site.caisson.process.pid ?? assert.fail())
    const idle = await watchMemory(processes)

    await person.run('push', image)
    await person.run('rmi', '--force', id)
    await person.run('pull', image)

    assert.equal(await person.run('image', 'inspect', '--format', '{{.Id}}', image), id)
    for (const [pid, { name, peak }] of await memoryOf(processes)) {
      const growth = Math.round((peak - (idle.get(pid)?.now ?? 0)) / MiB)
      t.diagnostic(`${name} grew by ${growth} MiB to ${Math.round(peak / MiB)} MiB`)
      assert.ok(growth < 150, `${name} grew by ${growth} MiB`)
    }
  },
)

/** What docker compresses on the way to nothing would prove nothing, so the layer is a key stream. */
async function importNoise(machine: Machine, image: string): Promise<void> {
  const directory = join(machine.directory, 'files', 'noise')
  await mkdir(directory, { recursive: true })
  const script = `set -e
head -c "$1" /dev/zero | openssl enc -aes-128-ctr -nosalt -pbkdf2 -pass pass:caisson >noise
tar -cf - noise | docker import - "$2"
rm noise`
  const args = ['-c', script, 'sh', String(layerBytes), image]
  await machine.run('sh', args, { directory, timeoutMs: 5 * minutes })
}

function withoutRoom(): string | false {
  const { bavail, bsize } = statfsSync(tmpdir())
  const free = bavail * bsize
  return free < neededBytes && `${tmpdir()} has ${Math.floor(free / GiB)} GiB free, a layer of 5 GiB needs 30`
}
