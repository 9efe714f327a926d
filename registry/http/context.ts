import type { ParameterizedContext } from 'koa'
import type { RequestTarget } from '../../wire/request-target.ts'
import type { Trust } from './peers.ts'

/** Set before anything else sees a request. */
export interface RequestState {
  target: RequestTarget
  trust: Trust
  /** Whose clients read what went wrong. */
  api?: 'v1'
}

export type Context = ParameterizedContext<RequestState>
