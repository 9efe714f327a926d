import type { RegistryClient } from '../helpers/registry-client.ts'
import type { Journal } from './journal.ts'
import type { Origin } from './origin.ts'
import { Pulls } from './pulls.ts'
import { Traffic } from './traffic.ts'
import { V1Traffic } from './v1-traffic.ts'

/** Those who use a registry. */
export interface Clients {
  readonly traffic: Traffic
  readonly pulls: Pulls
  readonly v1: V1Traffic
}

interface Parts {
  readonly journal: Journal
  readonly origin: Origin
  readonly random: () => number
  /** Called after every change of the journal. */
  readonly said?: () => void
}

export function clientsOf(client: RegistryClient, { journal, origin, random, said }: Parts): Clients {
  return {
    traffic: new Traffic(client, journal, random, said),
    pulls: new Pulls(client, journal, origin, said),
    v1: new V1Traffic(client, journal.v1, random, said),
  }
}
