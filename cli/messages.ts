import type { CaissonConfig } from './config.ts'

/** What the supervisor tells a process of ours, once it runs. */
export type Order =
  | { readonly start: 'registry'; readonly config: CaissonConfig; readonly adminPassword: string | undefined }
  /** `ticketKeys`: 48 bytes in base64, the same for every worker, so that a TLS session resumes on any of them. */
  | { readonly start: 'gateway'; readonly config: CaissonConfig; readonly ticketKeys: string }
  | { readonly ticketKeys: string }
  | { readonly reopenLogs: true }
  | { readonly stop: true }

/** What it answers. */
export type Report =
  /** The process is up and waits for its order. */
  | { readonly awake: true }
  | { readonly ready: Readiness }
  /** It could not start, for a reason that starting again will not mend. */
  | { readonly failed: string }

export interface Readiness {
  /** Of the gateway's listeners, in their order. */
  readonly ports?: readonly number[]
  /** The password of the user `admin` that this start has made; `generated` when nobody chose it. */
  readonly firstAdmin?: { readonly password: string; readonly generated: boolean }
}
