/** How a request ended for the client: it was done, it was refused, or nobody knows, because the process died. */
export type Outcome = 'done' | 'refused' | 'unknown'

/** What may be the case: one value when it is certain, more while a request is under way or after it was cut off. */
export type Possible<value> = ReadonlySet<value>

/** A request has been sent that makes it `next`; call what is returned with how it ended. */
export function change<value>(
  claims: Map<string, Possible<value>>,
  key: string,
  otherwise: value,
  next: value,
): (outcome: Outcome) => void {
  const before = claims.get(key) ?? new Set([otherwise])
  return decide(claims, key, before, new Set([next]))
}

/** The same for what becomes one thing or another, depending on what it has been. */
export function decide<value>(
  claims: Map<string, Possible<value>>,
  key: string,
  before: Possible<value>,
  after: Possible<value>,
): (outcome: Outcome) => void {
  claims.set(key, new Set([...before, ...after]))
  return (outcome) => {
    if (outcome === 'done') claims.set(key, after)
    if (outcome === 'refused') claims.set(key, before)
  }
}

/** Names of what is certainly so in this image. */
export function certainKeys<value>(
  claims: ReadonlyMap<string, Possible<value>>,
  image: string,
  wanted: (value: value) => boolean,
): readonly string[] {
  const certain = [...claims].filter(([key, possible]) => imageOf(key) === image && [...possible].every(wanted))
  return certain.map(([key]) => nameOf(key))
}

export function imageOf(key: string): string {
  return key.split(' ')[0] ?? ''
}

export function nameOf(key: string): string {
  return key.split(' ')[1] ?? ''
}

export function outcomeOf(status: number): Outcome {
  if (status < 300) return 'done'
  return status < 500 ? 'refused' : 'unknown'
}
