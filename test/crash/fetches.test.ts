import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import { mkdir, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'
import { gate } from '../helpers/upstream/faults.ts'
import { withoutFileOperations, type Point } from './file-operations.ts'
import { Journal } from './journal.ts'
import { Origin } from './origin.ts'
import { cachedName, Pulls } from './pulls.ts'
import { Gone } from './traffic.ts'
import { verify } from './verify.ts'
import { startVictim, type Victim } from './victim.ts'

const app = 'mirrored/app'
const half = 50_000

interface Killing {
  readonly when: string
  /** Kills it, or has it killed. Resolves when it has been. */
  readonly kill: (fetching: Fetching) => Promise<void>
  /** What the next fetch does. */
  readonly next: string
  /** From where the upstream is then asked for the blob; undefined: from its start. */
  readonly asked: readonly (string | undefined)[]
}

interface Fetching {
  readonly victim: Victim
  readonly origin: Origin
  /** A client gets the blob, until that is killed from which it comes. */
  readonly pull: () => Promise<void>
  /** Resolves when another client has so many bytes of it. */
  readonly receive: (bytes: number) => Promise<void>
}

const killings: readonly Killing[] = [
  {
    when: 'before the upstream answers',
    kill: async ({ victim, origin, pull }) => {
      const head = gate('head')
      origin.breakNextBlob(head.fault)
      const pulled = pull()
      await head.reached
      await end(victim)
      await pulled
    },
    next: 'begins anew',
    asked: [undefined],
  },
  {
    when: 'in the middle of the bytes',
    kill: killInTheMiddle,
    next: 'goes on there',
    asked: [`bytes=${half}-`],
  },
  {
    when: 'when all bytes are there',
    kill: at({ moment: 'before', operation: 'rename', kind: 'upload', nth: 1 }),
    next: 'asks for nothing more',
    asked: [],
  },
  {
    when: 'between the place of the blob and its link',
    kill: at({ moment: 'after', operation: 'rename', kind: 'upload', nth: 1 }),
    next: 'asks for nothing more',
    asked: [],
  },
]

for (const { when, kill, next, asked } of killings)
  test(
    `a fetch that is killed ${when} ${next}, and the next pull is right`,
    { skip: withoutFileOperations() },
    async () => {
      await using temporary = await temporaryDirectory()
      await using origin = await Origin.start()
      const { dataDirectory, journal } = await killed(temporary.path, origin, kill)
      const before = origin.upstream.requests.length
      assert.deepEqual((await verify(dataDirectory, journal, { origin })).problems, [])
      assert.deepEqual(
        origin.upstream.requests.slice(before).map(({ headers: { range } }) => range),
        asked,
      )
    },
  )

test(
  'what a power cut has damaged of a blob reaches nobody whole: that pull breaks off, and the next one is right',
  { skip: withoutFileOperations() },
  async () => {
    await using temporary = await temporaryDirectory()
    await using origin = await Origin.start()
    const fetched = await killed(temporary.path, origin, killInTheMiddle)
    const [part = ''] = await readdir(join(fetched.dataDirectory, 'uploads'))
    {
      await using file = await open(join(fetched.dataDirectory, 'uploads', part), 'r+')
      await file.write(Buffer.alloc(1000), 0, 1000, 0)
    }

    const { problems } = await verify(fetched.dataDirectory, fetched.journal, { origin })
    assert.deepEqual(problems, ['pulled again: Error: the registry has gone away'])
    assert.deepEqual((await verify(fetched.dataDirectory, fetched.journal, { origin })).problems, [])
  },
)

/** What is left of a registry that was killed while it fetched a blob. */
async function killed(scratch: string, origin: Origin, kill: Killing['kill']) {
  const dataDirectory = join(scratch, 'data')
  await mkdir(dataDirectory)
  const journal = new Journal()
  const digest = origin.upstream.content.blob(app, origin.layer())
  await using victim = await startVictim({ dataDirectory, scratch, remote: origin.remote })
  const pulls = new Pulls(victim.client, journal, origin)
  const path = `${cachedName(app)}/blobs/${digest}`
  await kill({
    victim,
    origin,
    pull: () => pulls.blob(app, digest).catch(isGone),
    receive: (bytes) => receive(join(dataDirectory, 'registry.sock'), path, bytes),
  })
  return { dataDirectory, journal }
}

async function killInTheMiddle({ victim, origin, pull, receive }: Fetching): Promise<void> {
  origin.breakNextBlob(gate(half).fault)
  const pulled = pull()
  await receive(half)
  await end(victim)
  await pulled
}

function at(point: Point): Killing['kill'] {
  return async ({ victim, pull }) => {
    victim.files.killAt(point)
    await pull()
    await victim.process.ended
  }
}

async function end({ process: { pid, ended } }: Victim): Promise<void> {
  process.kill(pid, 'SIGKILL')
  await ended
}

async function receive(socketPath: string, path: string, bytes: number): Promise<void> {
  const [message] = (await once(request({ socketPath, path }).end(), 'response')) as [IncomingMessage]
  let received = 0
  for await (const chunk of message as AsyncIterable<Buffer>) {
    received += chunk.length
    if (received >= bytes) return
  }
}

/** Or it has got the last byte a moment before. */
function isGone(error: unknown): void {
  assert.ok(error instanceof Gone)
}
