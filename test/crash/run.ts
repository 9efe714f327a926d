import { parseArgs } from 'node:util'
import { campaign } from './campaign.ts'
import { withoutFileOperations } from './file-operations.ts'
import { powerCuts } from './power-cuts.ts'

// npm run test:crash                            kills and power cuts for as long as it takes, and what was found
// npm run test:crash -- --kills 2000 --cuts 0   other numbers; --seed N begins with other random numbers
const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '500' },
    cuts: { type: 'string', default: '500' },
    seed: { type: 'string', default: '1' },
    quiet: { type: 'boolean', default: false },
  },
})
const missing = withoutFileOperations()
if (missing) {
  console.error(missing)
  process.exit(2)
}

const seed = Number(values.seed)
const said = values.quiet ? () => {} : (line: string) => console.log(line)
const { points, kills, problems } = await campaign({ kills: Number(values.kills), seed, said })
const recorded = await powerCuts({ rounds: 3, cuts: Number(values.cuts), seed, said })

const most = [...points].sort(([a], [b]) => a.localeCompare(b))
console.log('\nkilled at')
for (const [point, times] of most) console.log(`${String(times).padStart(5)}  ${point}`)
console.log(`\n${kills} kills at ${points.size} points: ${problems.length} problems`)
console.log(
  `${recorded.cuts} power cuts in ${recorded.operations} file operations: ${recorded.problems.length} problems`,
)
for (const problem of [...problems, ...recorded.problems]) console.log(problem)
process.exitCode = problems.length + recorded.problems.length === 0 ? 0 : 1
