import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { itemsAfter, mergeLists, takePage } from '../../../../registry/repositories/virtual/merged-pages.ts'

interface Item {
  readonly name: string
  readonly of: number
}

/** A list that is read in pages of a size of its own, and counts what it has given. */
function listOf(of: number, names: readonly string[], pageSize: number) {
  const items = [...names].sort().map((name): Item => ({ name, of }))
  const list = {
    given: 0,
    fetch: async (after: string | undefined) => {
      const rest = items.filter(({ name }) => after === undefined || name > after)
      const page = rest.slice(0, pageSize)
      list.given += page.length
      return { items: page, next: rest.length > pageSize ? page.at(-1)?.name : undefined }
    },
  }
  return list
}

const names = fc.uniqueArray(fc.stringMatching(/^[a-cA-C0-1._-]{1,3}$/), { maxLength: 20 })
const lists = fc.array(fc.record({ names, pageSize: fc.integer({ min: 1, max: 7 }) }), { maxLength: 5 })
const nameOf = ({ name }: Item) => name

test('the pages of a merged list, one after the other, are every name once, in byte order, from the first list that has it', async () => {
  await fc.assert(
    fc.asyncProperty(lists, fc.integer({ min: 1, max: 9 }), async (parts, limit) => {
      const all = new Map<string, number>()
      for (const [of, { names }] of parts.entries()) for (const name of names) if (!all.has(name)) all.set(name, of)
      const expected = [...all]
        .map(([name, of]): Item => ({ name, of }))
        .sort((one, other) => (one.name < other.name ? -1 : 1))

      const seen: Item[] = []
      let after: string | undefined
      do {
        const sources = parts.map(({ names, pageSize }, of) => listOf(of, names, pageSize))
        const merged = mergeLists(
          sources.map(({ fetch }) => itemsAfter(fetch, after)),
          nameOf,
        )
        const { items, last } = await takePage(merged, limit)
        assert.ok(items.length === limit || last === undefined)
        seen.push(...items)
        after = last?.name
      } while (after !== undefined)
      assert.deepEqual(seen, expected)
    }),
  )
})

test('of a long list no more is read than the page and one page of its own', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 1, max: 7 }), async (limit, pageSize) => {
      const numbers = Array.from({ length: 1000 }, (_, index) => String(index).padStart(4, '0'))
      const [even, odd] = [0, 1].map((rest) =>
        listOf(
          rest,
          numbers.filter((number) => Number(number) % 2 === rest),
          pageSize,
        ),
      )
      assert.ok(even && odd)
      const merged = mergeLists(
        [even, odd].map(({ fetch }) => itemsAfter(fetch, undefined)),
        nameOf,
      )
      const { items, last } = await takePage(merged, limit)
      assert.deepEqual(items.map(nameOf), numbers.slice(0, limit))
      assert.equal(last, items.at(-1))
      for (const { given } of [even, odd]) assert.ok(given <= limit / 2 + 1 + pageSize, `${given} of ${limit}`)
    }),
  )
})

test('of no lists, and of those that are not there, nothing comes', async () => {
  assert.deepEqual(await takePage(mergeLists([], nameOf), 10), { items: [], last: undefined })
  const absent = itemsAfter<Item>(async () => undefined, undefined)
  assert.deepEqual(await takePage(mergeLists([absent], nameOf), 10), { items: [], last: undefined })
})
