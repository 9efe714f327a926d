import type { Fault } from './faults.ts'

/** What goes wrong with which kind of request. */
export class FaultSwitches<kind extends string> {
  readonly #switched = new Map<kind, { readonly fault: Fault; left: number }[]>()

  /** Each answer of this kind from now on, or only the next `times`; several faults come together. */
  break(kind: kind, fault: Fault, times = Infinity): void {
    this.#switched.set(kind, [...(this.#switched.get(kind) ?? []), { fault, left: times }])
  }

  heal(): void {
    this.#switched.clear()
  }

  /** Those for this answer; they count it. */
  take(kind: kind): readonly Fault[] {
    return (this.#switched.get(kind) ?? []).filter((entry) => entry.left-- > 0).map(({ fault }) => fault)
  }
}
