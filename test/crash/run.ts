import { parseArgs } from 'node:util'
import { campaign } from './campaign.ts'
import { without } from '../helpers/available.ts'
import { withoutFileOperations } from './file-operations.ts'
import { killUnderLoad, type LoadReport } from './load.ts'
import { powerCuts } from './power-cuts.ts'

// npm run test:crash                            kills, power cuts and a minute of kills under load, and what was found
// npm run test:crash -- --kills 2000 --cuts 0 --load 0   other numbers; --seed N begins with other random numbers
const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '500' },
    cuts: { type: 'string', default: '500' },
    load: { type: 'string', default: '60' },
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
const { points, kills, rests, problems } = await campaign({ kills: Number(values.kills), seed, said })
const recorded = await powerCuts({ rounds: 3, cuts: Number(values.cuts), seed, said })
const loaded = await underLoad(Number(values.load))

const most = [...points].sort(([a], [b]) => a.localeCompare(b))
console.log('\nkilled at')
for (const [point, times] of most) console.log(`${String(times).padStart(5)}  ${point}`)
console.log(`\n${kills} kills at ${points.size} points: ${problems.length} problems`)
console.log(
  `of blobs that were being fetched, ${rests.kept} parts were kept, ${rests.resumed} of them resumed; ` +
    `${rests.dropped} files of uploads were dropped`,
)
console.log(
  `${recorded.cuts} power cuts in ${recorded.operations} file operations: ${recorded.problems.length} problems`,
)
if (loaded)
  console.log(
    `killed under load: ${JSON.stringify(loaded.kills)}; ${loaded.copied} copies by skopeo ended well, ` +
      `${loaded.cutOff} were cut off: ${loaded.problems.length} problems`,
  )
const all = [...problems, ...recorded.problems, ...(loaded?.problems ?? [])]
for (const problem of all) console.log(problem)
process.exitCode = all.length === 0 ? 0 : 1

async function underLoad(seconds: number): Promise<LoadReport | undefined> {
  const reason = seconds > 0 && without('skopeo')
  if (reason !== false) console.log(`\nnot killed under load: ${reason}`)
  return seconds > 0 && reason === false ? await killUnderLoad({ seconds, seed }) : undefined
}
