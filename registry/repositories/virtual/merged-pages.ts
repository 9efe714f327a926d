/** Part of a list; `next` is what the one after it is asked for by. */
interface Part<item> {
  readonly items: readonly item[]
  readonly next: string | undefined
}

/** What comes after `after`, page by page as it is asked for. `fetch` says undefined when there is no such list. */
export async function* itemsAfter<item>(
  fetch: (after: string | undefined) => Promise<Part<item> | undefined>,
  after: string | undefined,
): AsyncGenerator<item, undefined> {
  let from = after
  do {
    const page = await fetch(from)
    yield* page?.items ?? []
    from = page?.next
  } while (from !== undefined)
}

/**
 * One list of several that are each in byte order of what `keyOf` says, which is ASCII. What several have is there once, as the first of
 * them has it. Of each list no more is read than one item beyond what has been asked for.
 */
export async function* mergeLists<item>(
  lists: readonly AsyncIterator<item, undefined>[],
  keyOf: (item: item) => string,
): AsyncGenerator<item, undefined> {
  const heads = await Promise.all(lists.map(async (list) => ({ list, head: await list.next() })))
  for (;;) {
    const waiting = heads.flatMap(({ head }) => (head.done ? [] : [head.value]))
    const [first, ...others] = waiting
    if (first === undefined) return
    const least = others.reduce((one, other) => (keyOf(other) < keyOf(one) ? other : one), first)
    yield least
    for (const each of heads)
      if (!each.head.done && keyOf(each.head.value) === keyOf(least)) each.head = await each.list.next()
  }
}

/** The first `limit` of them; `last` is that of these after which there are more. */
export async function takePage<item>(
  list: AsyncGenerator<item, undefined>,
  limit: number,
): Promise<{ readonly items: readonly item[]; readonly last: item | undefined }> {
  const items: item[] = []
  if (limit === 0) return { items, last: undefined }
  for await (const item of list) {
    if (items.length === limit) return { items, last: items.at(-1) }
    items.push(item)
  }
  return { items, last: undefined }
}
