import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { bodyOf, type Body } from './upstream-content.ts'

/** What will be answered; faults change it. */
export interface Plan {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Body
  /** Of the body, inclusive at both ends; undefined: all of it. */
  readonly range?: { readonly first: number; readonly last: number } | undefined
  /** The Content-Length; undefined: that of the bytes. `none`: chunks. */
  readonly announced?: number | 'none'
  readonly steps: readonly Step[]
  /** At most so many bytes, then a pause. */
  readonly pace?: { readonly bytes: number; readonly pauseMs: number }
}

/** Something that happens on the way. */
export interface Step {
  /** After so many bytes of the answer, or before its head. */
  readonly at: number | 'head'
  take(response: ServerResponse): void | Promise<void>
}

export function plan(status: number, body: Uint8Array | string = '', headers: Plan['headers'] = {}): Plan {
  return { status, headers, body: bodyOf(body), steps: [] }
}

export function jsonPlan(status: number, value: unknown, headers: Plan['headers'] = {}): Plan {
  return plan(status, JSON.stringify(value), { 'content-type': 'application/json', ...headers })
}

/** Sends it, as far as its steps let it. Resolves when nothing more will be sent. */
export async function send(plan: Plan, method: string, response: ServerResponse): Promise<void> {
  const { body, range = { first: 0, last: body.size - 1 }, announced = range.last - range.first + 1 } = plan
  const closed = once(response, 'close').catch(() => undefined)
  await takeSteps(plan, 'head', response, closed)
  if (response.destroyed) return

  const partial = plan.range !== undefined && plan.status === 200
  response.writeHead(partial ? 206 : plan.status, {
    ...(announced === 'none' ? {} : { 'content-length': announced }),
    ...(partial && { 'content-range': `bytes ${range.first}-${range.last}/${body.size}` }),
    ...plan.headers,
  })
  response.flushHeaders()
  let sent = 0
  if (method !== 'HEAD') {
    await takeSteps(plan, 0, response, closed)
    for (const piece of pieces(plan, range.first, range.last)) {
      if (response.destroyed) return
      await Promise.race([closed, new Promise((written) => response.write(piece, written))])
      sent += piece.length
      await takeSteps(plan, sent, response, closed)
      if (plan.pace) await Promise.race([closed, pause(plan.pace.pauseMs, undefined, { ref: false })])
    }
  }
  if (!response.destroyed) response.end()
}

async function takeSteps({ steps }: Plan, at: Step['at'], response: ServerResponse, closed: Promise<unknown>) {
  for (const step of steps.filter((step) => step.at === at)) {
    if (!response.destroyed) await Promise.race([closed, step.take(response)])
  }
}

/** The bytes of the range, cut where a step is to be taken, and as the pace wants it. */
function* pieces({ body, steps, pace }: Plan, first: number, last: number): Generator<Uint8Array> {
  const cuts = steps.map(({ at }) => at).filter((at) => typeof at === 'number')
  let sent = 0
  for (const chunk of body.from(first)) {
    let rest = chunk.subarray(0, last - first + 1 - sent)
    while (rest.length > 0) {
      const next = Math.min(...cuts.filter((at) => at > sent).map((at) => at - sent), pace?.bytes ?? Infinity)
      const piece = rest.subarray(0, next)
      rest = rest.subarray(piece.length)
      sent += piece.length
      yield piece
    }
  }
}
