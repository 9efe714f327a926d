import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'
import { clientsOf } from './clients.ts'
import { Disk, filesBelow, readRecord } from './disk.ts'
import { withoutFileOperations } from './file-operations.ts'
import { Journal } from './journal.ts'
import { Origin } from './origin.ts'
import { randomNumbers } from './random-numbers.ts'
import { steps } from './steps.ts'
import { startVictim } from './victim.ts'

const skip = withoutFileOperations()

test(
  'the record of a registry holds every file operation: played again it makes the same files',
  { skip },
  async () => {
    await using temporary = await temporaryDirectory()
    const dataDirectory = join(temporary.path, 'data')
    await mkdir(dataDirectory)
    await using origin = await Origin.start()
    const { remote } = origin
    const scratch = temporary.path
    await using victim = await startVictim({ dataDirectory, scratch, grace: 'none', record: true, remote })
    const clients = clientsOf(victim.client, { journal: new Journal(), origin, random: randomNumbers(1) })
    for (const { prepare } of steps) await (await prepare(clients))?.()

    const disk = new Disk()
    for (const entry of readRecord(victim.files.record())) disk.do(entry)
    const again = join(temporary.path, 'again')
    await disk.write(again)
    const expected = await filesBelow(dataDirectory)
    const actual = await filesBelow(again)
    const kept = (names: Iterable<string>) => [...names].filter((name) => !/\.(lock|sock)$|-shm$/.test(name)).sort()
    assert.deepEqual(kept(actual.keys()), kept(expected.keys()))
    for (const [name, bytes] of actual) assert.ok(expected.get(name)?.equals(bytes), `${name} has other bytes`)
  },
)
