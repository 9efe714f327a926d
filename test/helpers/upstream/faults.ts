import type { ServerResponse } from 'node:http'
import { plan, type Plan, type Step } from './plan.ts'
import { bodyOf, type Body } from './upstream-content.ts'

/** Turns the right answer into another one. */
export type Fault = (answer: Plan, path: string) => Plan

/** The connection ends in order after so many bytes of the body, however many were announced. */
export const truncated = (at: number): Fault => withStep({ at, take: ({ socket }) => socket?.destroySoon() })

/** The connection is reset there. */
export const reset = (at: Step['at']): Fault =>
  withStep({
    at,
    take({ socket }) {
      // Of TLS, what lies below it.
      const raw = (socket as unknown as { readonly _parent?: typeof socket } | null)?._parent ?? socket
      raw?.resetAndDestroy()
    },
  })

/** Nothing more comes, and the connection stays. */
export const stalled = (at: Step['at']): Fault => withStep({ at, take: () => new Promise<never>(() => undefined) })

/** So few bytes at a time. */
export const dripping =
  (bytes: number, pauseMs: number): Fault =>
  (answer) => ({ ...answer, pace: { bytes, pauseMs } })

/** As many bytes as there should be, and one of them is another. */
export const otherBytes: Fault = (answer) => ({ ...answer, body: spoilt(answer.body) })

/** The Content-Length says so many more or less than there are bytes; the connection ends after them. Not of none. */
export const wrongLength =
  (difference: number): Fault =>
  (answer) =>
    answer.body.size === 0
      ? answer
      : {
          ...answer,
          headers: { ...answer.headers, connection: 'close' },
          announced: answer.body.size - (answer.range?.first ?? 0) + difference,
        }

/** In chunks, without Content-Length. */
export const chunked: Fault = (answer) => ({ ...answer, announced: 'none' })

export const withoutRanges: Fault = (answer) => ({
  ...answer,
  status: answer.status === 416 ? 200 : answer.status,
  range: undefined,
})

/** A page for people, and 200. */
export const htmlPage: Fault = () =>
  plan(200, '<!DOCTYPE html><title>Sign in</title>', { 'content-type': 'text/html; charset=utf-8' })

export const status =
  (code: number, headers: Plan['headers'] = {}, body = ''): Fault =>
  () =>
    plan(code, body, headers)

export const tooMany = (retryAfter?: string): Fault =>
  status(429, retryAfter === undefined ? {} : { 'retry-after': retryAfter })

export const withHeaders =
  (headers: Plan['headers']): Fault =>
  (answer) => ({ ...answer, headers: { ...answer.headers, ...headers } })

export const withoutHeader =
  (name: string): Fault =>
  (answer) => ({
    ...answer,
    headers: Object.fromEntries(Object.entries(answer.headers).filter(([key]) => key !== name)),
  })

export const withBody =
  (body: Uint8Array | string): Fault =>
  (answer) => ({ ...answer, body: bodyOf(body) })

/** `where` knows the URL by the path that was asked for. */
export const redirected =
  (where: (path: string) => string, code = 307): Fault =>
  (_answer, path) =>
    plan(code, '', { location: where(path) })

/** To itself, for ever. */
export const redirectLoop: Fault = redirected((path) => path)

/** Holds answers until it is opened. */
export interface Gate {
  /** Resolves when the first answer has come there. */
  readonly reached: Promise<void>
  readonly fault: Fault
  open(): void
}

export function gate(at: Step['at']): Gate {
  const reached = Promise.withResolvers<void>()
  const opened = Promise.withResolvers<void>()
  const take = async () => {
    reached.resolve()
    await opened.promise
  }
  return { reached: reached.promise, fault: withStep({ at, take }), open: () => opened.resolve() }
}

function withStep(step: Step & { take(response: ServerResponse): void | Promise<void> }): Fault {
  return (answer) => ({ ...answer, steps: [...answer.steps, step] })
}

function spoilt(body: Body): Body {
  return {
    size: body.size,
    *from(first) {
      let at = first
      for (const chunk of body.from(first)) {
        const copy = Buffer.from(chunk)
        if (at === first && copy.length > 0) copy[0] = (copy[0] ?? 0) ^ 0xff
        at += chunk.length
        yield copy
      }
    },
  }
}
