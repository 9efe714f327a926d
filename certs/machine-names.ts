import { lookup, lookupService } from 'node:dns/promises'
import { hostname, networkInterfaces } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import type { MachineNames } from './names.ts'

/** The host name, with its domain when the resolver knows one within two seconds, and the addresses of the interfaces. */
export async function machineNames(): Promise<MachineNames> {
  const host = hostname().toLowerCase()
  const full = host.includes('.') ? undefined : await fullName(host)
  return {
    hostNames: [host, host.split('.')[0] ?? host, ...(full ? [full] : [])],
    addresses: interfaceAddresses(),
  }
}

function interfaceAddresses(): readonly string[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .map(({ address }) => address)
    .filter((address) => !isLinkLocal(address))
}

/** Usable only together with an interface of the client, so nobody pulls from it. */
function isLinkLocal(address: string): boolean {
  return /^fe[89ab]/i.test(address)
}

async function fullName(host: string): Promise<string | undefined> {
  const stop = new AbortController()
  try {
    const late = delay(2000, undefined, { signal: stop.signal, ref: false })
    const found = (await Promise.race([reverseName(host), late]))?.toLowerCase()
    return found?.startsWith(`${host}.`) ? found : undefined
  } catch {
    return undefined // a machine that its resolver does not know has no full name
  } finally {
    stop.abort()
  }
}

async function reverseName(host: string): Promise<string> {
  const { address } = await lookup(host)
  return (await lookupService(address, 443)).hostname
}
