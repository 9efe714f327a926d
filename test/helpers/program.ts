import { spawn } from 'node:child_process'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'

export interface Output {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
  readonly directory?: string
  readonly timeoutMs?: number
  /** What to call it in messages, when the command does not say it. */
  readonly name?: string
}

/** A program in the background. It dies with this process, however this process dies. */
export interface Running extends AsyncDisposable {
  readonly pid: number
  /** Resolves when it has ended, with its status; -1 when a signal ended it. */
  readonly ended: Promise<number>
  /** Everything it has said so far. */
  output(): string
  /** Resolves when it has said so; rejects with all it said when it ends before. */
  says(pattern: RegExp): Promise<void>
}

/** Runs a program to its end, good or bad. */
export async function attempt(command: string, args: readonly string[], options: ProgramOptions = {}): Promise<Output> {
  const child = launch(command, args, options)
  const deadline = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 120_000)
  try {
    const ended = exitOf(child)
    child.stdin.end(options.input ?? '')
    const [stdout, stderr, exitCode] = await Promise.all([text(child.stdout), text(child.stderr), ended])
    return { exitCode, stdout, stderr }
  } finally {
    clearTimeout(deadline)
  }
}

/** Runs a program that must succeed, and resolves with what it printed. */
export async function run(command: string, args: readonly string[], options: ProgramOptions = {}): Promise<string> {
  return printed([command, ...args], await attempt(command, args, options))
}

/** What a program printed that had to succeed; throws with all it said when it did not. */
export function printed(commandLine: readonly string[], { exitCode, stdout, stderr }: Output): string {
  if (exitCode === 0) return stdout.trim()
  throw new Error(`${commandLine.join(' ')} ended with ${exitCode}:\n${stdout}${stderr}`)
}

export function start(command: string, args: readonly string[], options: ProgramOptions = {}): Running {
  const child = launch(command, args, options)
  const ended = exitOf(child)
  const said = new EventEmitter()
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8')
    stream.on('data', (more: string) => {
      output += more
      said.emit('more')
    })
  }
  const says = async (pattern: RegExp): Promise<void> => {
    while (!pattern.test(output)) {
      const exitCode = await Promise.race([once(said, 'more').then(() => undefined), ended])
      if (exitCode !== undefined)
        throw new Error(`${options.name ?? command} ended with ${exitCode} and never said ${pattern}:\n${output}`)
    }
  }
  return {
    pid: child.pid ?? 0,
    ended,
    output: () => output,
    says,
    [Symbol.asyncDispose]: async () => stop(child, ended),
  }
}

/** Only what is needed of the environment: a proxy or a docker host of the user's would lead clients elsewhere. */
function launch(command: string, args: readonly string[], options: ProgramOptions): ChildProcessWithoutNullStreams {
  const path = `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin`
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', command, ...args], {
    env: { PATH: path, LANG: 'C.UTF-8', ...options.env },
    cwd: options.directory ?? '/',
  })
  // A program that reads no input closes it; that is no fault.
  child.stdin.on('error', () => undefined)
  return child
}

async function exitOf(child: ChildProcessWithoutNullStreams): Promise<number> {
  return await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => resolve(code ?? -1))
  })
}

async function stop(child: ChildProcessWithoutNullStreams, ended: Promise<number>): Promise<void> {
  for (const pid of await innermost(child)) signal(pid, 'SIGTERM')
  const deadline = setTimeout(() => child.kill('SIGKILL'), 10_000)
  await ended.finally(() => clearTimeout(deadline))
}

/**
 * `unshare --fork` ignores SIGTERM and waits for its child, the first process of a private machine; the kernel ends
 * everything else in there before that one is gone. So the child is told, and waiting for `unshare` waits for all.
 */
async function innermost(child: ChildProcessWithoutNullStreams): Promise<readonly number[]> {
  const { pid } = child
  if (pid === undefined || child.exitCode !== null) return []
  const [name, children] = await Promise.all(
    [`/proc/${pid}/comm`, `/proc/${pid}/task/${pid}/children`].map(async (file) =>
      readFile(file, 'utf8').catch(() => ''),
    ),
  )
  return name?.trim() === 'unshare' && children ? children.trim().split(' ').map(Number) : [pid]
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'ESRCH')) throw cause
  }
}
