import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { module, moduleVersion, suiteDirectory, suiteProgram } from './suite.ts'

// node test/conformance/build.ts   builds the OCI conformance suite, which `npm test` then runs too. Needs Go, and the
//                                  Go module proxy the first time.

const leastGo = [1, 24] as const

if (!existsSync(suiteProgram)) build(goProgram())
console.log(`the OCI conformance suite ${moduleVersion} is built`)

function build(go: string): void {
  const env = { ...process.env, GOBIN: suiteDirectory, GOTOOLCHAIN: 'local' }
  const { status } = spawnSync(go, ['install', `${module}@${moduleVersion}`], { env, stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

function goProgram(): string {
  const found = ['go', '/usr/local/go/bin/go'].find(isNewEnough)
  if (found !== undefined) return found
  console.error(`the OCI conformance suite needs Go ${leastGo.join('.')} or newer, on the PATH or in /usr/local/go`)
  process.exit(1)
}

function isNewEnough(go: string): boolean {
  const { stdout } = spawnSync(go, ['env', 'GOVERSION'], {
    encoding: 'utf8',
    env: { ...process.env, GOTOOLCHAIN: 'local' },
  })
  const [, major, minor] = /^go(\d+)\.(\d+)/.exec(stdout ?? '') ?? []
  return Number(major) === leastGo[0] && Number(minor) >= leastGo[1]
}
