import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Writable } from 'node:stream'
import pino from 'pino'
import type { AuditEntry, AuditEvent, AuditLog, AuditQuery } from '../../../registry/audit/audit-log.ts'
import { openAuditLog } from '../../../registry/audit/file-audit-log.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'

/** An audit log in a directory of its own, at a clock that stands still until it is set. */
export interface TestAuditLog extends AsyncDisposable {
  readonly file: string
  readonly clock: { at: Date }
  log: AuditLog
  /** What the log of the registry was told. */
  readonly told: readonly Readonly<Record<string, unknown>>[]
  reopen(): Promise<void>
  /** Who did what is asked for, the newest first. */
  by(query?: Partial<AuditQuery>): Promise<readonly (string | undefined)[]>
  /** Names and whole contents of the files, the newest first. */
  files(): Promise<Readonly<Record<string, string>>>
}

export interface TestAuditOptions {
  readonly directory?: string
  readonly rotateBytes?: number
  readonly keep?: number
}

export async function testAuditLog(options: TestAuditOptions = {}): Promise<TestAuditLog> {
  await using opened = new AsyncDisposableStack()
  const directory = options.directory ?? opened.use(await temporaryDirectory()).path
  const file = join(directory, 'audit', 'audit.jsonl')
  const clock = { at: new Date('2026-11-24T20:31:47.255Z') }
  const told: Record<string, unknown>[] = []
  const open = () =>
    openAuditLog({
      file,
      rotation: { atBytes: options.rotateBytes ?? 2 ** 30, keep: options.keep ?? 10 },
      log: pino({}, linesInto(told)),
      now: () => clock.at,
    })
  const test: Omit<TestAuditLog, typeof Symbol.asyncDispose> = {
    file,
    clock,
    log: await open(),
    told,
    async reopen() {
      await this.log[Symbol.asyncDispose]()
      this.log = await open()
    },
    by: async (query = {}) => (await test.log.query({ limit: 1000, ...query })).map(({ by }) => by),
    files: () => contentsOf(dirname(file)),
  }
  opened.defer(() => test.log[Symbol.asyncDispose]())
  const running = opened.move()
  return Object.assign(test, { [Symbol.asyncDispose]: () => running.disposeAsync() })
}

export function pushedBy(by: string): AuditEvent {
  return { type: 'pushed', by }
}

/** What there is to say of it, without what is undefined. */
export function plain(entry: AuditEntry | undefined): unknown {
  return JSON.parse(JSON.stringify(entry))
}

async function contentsOf(directory: string): Promise<Readonly<Record<string, string>>> {
  const contents: Record<string, string> = {}
  for (const name of (await readdir(directory)).sort()) contents[name] = await readFile(join(directory, name), 'utf8')
  return contents
}

function linesInto(lines: Record<string, unknown>[]): Writable {
  return new Writable({
    write(line: Buffer, _encoding, done) {
      lines.push(JSON.parse(line.toString()) as Record<string, unknown>)
      done()
    },
  })
}
