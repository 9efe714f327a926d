import { join } from 'node:path'
import { mkdir } from 'node:fs/promises'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'
import { Journal } from './journal.ts'
import { Origin } from './origin.ts'
import { Pulls } from './pulls.ts'
import { pullSteps } from './pull-steps.ts'
import { startVictim } from './victim.ts'
await using temporary = await temporaryDirectory()
await using origin = await Origin.start()
const dataDirectory = join(temporary.path, 'data')
await mkdir(dataDirectory)
await using victim = await startVictim({ dataDirectory, scratch: temporary.path, remote: origin.remote })
const pulls = new Pulls(victim.client, new Journal(), origin)
const step = pullSteps.find((s) => s.name === 'pull a blob that breaks off')
for (let i = 0; i < 20; i++)
  try {
    await (await step!.prepare(undefined as never, pulls))!()
  } catch (e) {
    console.log(e)
    break
  }
console.log(victim.process.output().slice(-6000))
console.log(origin.upstream.requests.map((r) => `${r.method} ${r.url.slice(-10)} ${r.headers.range}`))
