import { test } from 'node:test'
import * as fc from 'fast-check'
import { mutationVariable } from '../../helpers/mutation.ts'
import { blobNames, imageNames, manifestNames, tagNames, v1Names, v2Names } from './garbage-model.ts'
import { World, type Command, type Simple } from './garbage-world.ts'

/** More of them by hand: GARBAGE_MODEL_RUNS=10000 npm test -- garbage-model */
const numRuns = Number(process.env.GARBAGE_MODEL_RUNS ?? 150)

const image = fc.constantFrom(...imageNames)
const blob = fc.constantFrom(...blobNames)
const manifest = fc.constantFrom(...manifestNames)
const v2 = fc.constantFrom(...v2Names)
const v1 = fc.constantFrom(...v1Names)
const tag = fc.constantFrom(...tagNames)
const always = <name extends string>(name: name) => fc.constant(name)

const simple: fc.Arbitrary<Simple> = fc.oneof(
  { arbitrary: fc.record({ do: always('put'), image, manifest: v2, tags: fc.uniqueArray(tag) }), weight: 6 },
  { arbitrary: fc.record({ do: fc.constantFrom('rely on blob', 'delete blob'), image, blob }), weight: 2 },
  { arbitrary: fc.record({ do: fc.constantFrom('rely on manifest', 'delete manifest'), image, manifest }), weight: 3 },
  { arbitrary: fc.record({ do: always('mount'), image, blob, from: image }), weight: 2 },
  { arbitrary: fc.record({ do: always('delete tag'), image, tag }), weight: 2 },
  { arbitrary: fc.record({ do: always('delete image'), image }), weight: 1 },
  {
    arbitrary: fc.record({ do: always('cache'), image, manifest: v2, tag: fc.option(tag, { nil: undefined }) }),
    weight: 2,
  },
  { arbitrary: fc.record({ do: always('uncache'), image, manifest }), weight: 1 },
  { arbitrary: fc.record({ do: always('announce'), image, v1s: fc.uniqueArray(v1) }), weight: 1 },
  { arbitrary: fc.record({ do: fc.constantFrom('send json', 'complete'), image, v1 }), weight: 3 },
  { arbitrary: fc.record({ do: always('tag V1 image'), image, v1, tag }), weight: 1 },
  { arbitrary: fc.record({ do: always('end push'), image }), weight: 1 },
)
const crash = fc.record({ do: always('crash') })
const push = fc.record({ do: always('push'), image, blob })
/** Around the day of grace, the week of untagged manifests, and the minute of readers. */
const advance = fc.record({
  do: always('advance'),
  minutes: fc.constantFrom(0, 0.5, 1, 2, 700, 1439, 1440, 1441, 10079, 10080),
})
const collect = fc.record({ do: always('collect') })

const duringPush = fc.array(fc.oneof(simple, advance, collect, { arbitrary: crash, weight: 1 }), { maxLength: 3 })
const duringCollection = fc
  .tuple(fc.array(simple, { maxLength: 2 }), fc.option(fc.oneof(push, crash), { nil: undefined }))
  .map(([first, last]) => (last ? [...first, last] : first))

const pushes = (commands: readonly { readonly do: string }[]) => commands.some((it) => it.do === 'push')
/** One that waits for a deletion would have to end with the process. */
const crashes = (commands: readonly { readonly do: string }[]) => commands.some((it) => it.do === 'crash')

const command: fc.Arbitrary<Command> = fc.oneof(
  { arbitrary: simple, weight: 8 },
  {
    arbitrary: fc.record({ do: always('push'), image, blob, beforePlace: duringPush, beforeLink: duringPush }),
    weight: 5,
  },
  { arbitrary: fc.record({ do: always('send layer'), image, v1, blob }), weight: 2 },
  { arbitrary: advance, weight: 3 },
  {
    arbitrary: fc
      .record({ do: always('collect'), beforeDelete: duringCollection, beforeForget: duringCollection })
      .filter(({ beforeDelete, beforeForget }) => !(pushes(beforeDelete) && crashes(beforeForget))),
    weight: 3,
  },
  { arbitrary: fc.record({ do: fc.constantFrom('expire', 'restart') }), weight: 1 },
)

/** Without these, hardly any run would come to have a whole image. */
const beginning: readonly Command[] = [
  ...blobNames.map((blob): Command => ({ do: 'push', image: 'a', blob, beforePlace: [], beforeLink: [] })),
  { do: 'put', image: 'a', manifest: 'one', tags: [] },
  { do: 'announce', image: 'a', v1s: v1Names },
  { do: 'send json', image: 'a', v1: 'base' },
  { do: 'send layer', image: 'a', v1: 'base', blob: 'q' },
  { do: 'complete', image: 'a', v1: 'base' },
  { do: 'send json', image: 'a', v1: 'child' },
]

test('whatever happens while garbage is collected, all that was promised is there and nothing else stays', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 5, maxLength: 30 }), async (commands) => {
      await using world = await World.create()
      for (const first of beginning) await world.run(first)
      for (const next of commands) await world.run(next)
      await world.settle()
    }),
    { numRuns, endOnFailure: mutationVariable in process.env }, // that a mutation is found says enough
  )
})
