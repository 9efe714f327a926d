import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'

// npm test            what every change is checked with: offline, minutes
// npm test -- --long  what takes longer: huge layers, long loads
// npm test -- PART…   the files whose path contains one of the words
const words = process.argv.slice(2)
const long = words.includes('--long')
const parts = words.filter((word) => !word.startsWith('--'))
const files = globSync('test/**/*.test.ts')
  .filter((file) => file.endsWith('.long.test.ts') === long)
  .filter((file) => parts.length === 0 || parts.some((part) => file.includes(part)))
  .sort()
if (files.length === 0) {
  console.error(`no test file matches ${parts.join(' ')}`)
  process.exit(2)
}

// Tests wait much, for disks and for clients: one file for each processor leaves them idle.
const options = ['--test', '--test-reporter=spec', '--test-concurrency=2']
const { status } = spawnSync(process.execPath, [...options, ...files], { stdio: 'inherit' })
process.exit(status ?? 1)
