import { isObject, parseJson, type JsonObject } from '../../domain/json.ts'
import { withoutQuery, wrong } from './failures.ts'
import { named, type Question, type Requests } from './requests.ts'
import type { WireAnswer } from './wire-answer.ts'

const maxPages = 200
const maxItems = 200_000
const maxBytes = 32 * 1024 * 1024

export interface PagesOptions {
  readonly question: Question
  readonly scope: string
  /** Path below which all pages lie. */
  readonly below: string
  /** The list on a page; undefined when there is none. */
  readonly items: (page: JsonObject) => readonly unknown[] | undefined
}

/**
 * What is on all pages, which follow each other by `Link` (OCI distribution 1.1, "Listing Tags"); the answer to the first question when
 * that is none of 200. Rejects, rather than that something be missing, when there is too much of it.
 */
export async function readPages(
  requests: Requests,
  { question, scope, below, items }: PagesOptions,
): Promise<{ readonly items: readonly unknown[] } | { readonly status: number }> {
  const found: unknown[] = []
  const been = new Set<string>()
  let [url, bytesLeft] = [question.url, maxBytes]
  for (;;) {
    been.add(url.href)
    const asked = { ...question, url }
    const answer = await requests.ask(asked, scope)
    if (answer.status !== 200) {
      await answer.discard()
      if (been.size === 1) return { status: answer.status }
      throw wrong(`${named(asked)} is answered with ${answer.status} in the middle of a list`)
    }
    const next = nextPage(answer, url, below)
    const bytes = await requests.read(answer, bytesLeft)
    bytesLeft -= bytes.length
    const page = items(objectOf(bytes, named(asked)))
    if (page === undefined) throw wrong(`${named(asked)} is answered with no list`)
    for (const item of page) found.push(item)
    if (next === undefined) return { items: found }
    if (found.length > maxItems || been.size >= maxPages || been.has(next.href))
      throw wrong(`${named(asked)}: the list has no end, or more than ${maxItems} entries on ${maxPages} pages`)
    url = next
  }
}

/** RFC 8288. A proxy may write a scheme that is not ours; host and path must be. */
export function nextPage(answer: Pick<WireAnswer, 'header'>, url: URL, below: string): URL | undefined {
  const link = linkTo('next', answer.header('link'))
  if (link === undefined) return undefined
  const next = URL.canParse(link, url) ? new URL(link, url) : undefined
  if (next?.host !== url.host || !next.pathname.startsWith(below))
    throw wrong(`${withoutQuery(url)} continues where it may not: expected a page of the same list`)
  return new URL(`${next.pathname}${next.search}`, url)
}

function linkTo(relation: string, header: string | undefined): string | undefined {
  const links = [...(header ?? '').matchAll(/<([^>]*)>((?:\s*;\s*[\w*-]+\s*=\s*(?:"[^"]*"|[^\s;,"]+))*)/g)]
  return links.find(([, , parameters = '']) => {
    const [, quoted, plain] = /;\s*rel\s*=\s*(?:"([^"]*)"|([^\s;,"]+))/i.exec(parameters) ?? []
    return (quoted ?? plain ?? '').toLowerCase().split(/\s+/).includes(relation)
  })?.[1]
}

function objectOf(bytes: Uint8Array, what: string): JsonObject {
  const parsed = parseJson(bytes)
  if ('value' in parsed && isObject(parsed.value)) return parsed.value
  throw wrong(`${what} is answered with no list: ${'problem' in parsed ? parsed.problem : 'expected a JSON object'}`)
}
