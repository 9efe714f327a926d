import { BlockList, isIP } from 'node:net'
import { isAddressRange } from '../wire/address-range.ts'

export type TrustedProxies = (address: string) => boolean

/** Throws with the offending entry when one is neither an address nor a range. */
export function compileTrustedProxies(entries: readonly string[]): TrustedProxies {
  if (entries.length === 0) return () => false
  const list = new BlockList()
  for (const entry of entries) {
    const [address = '', length] = entry.split('/')
    const family = familyOf(address)
    if (!family || !isAddressRange(entry)) {
      throw new Error(`gateway.trustedProxies: "${entry}" is neither an address nor a range like 10.0.0.0/8`)
    }
    if (length === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(length), family)
  }
  return (address) => {
    const family = familyOf(address)
    return family !== undefined && list.check(address, family)
  }
}

function familyOf(address: string): 'ipv4' | 'ipv6' | undefined {
  const version = isIP(address)
  return version === 0 ? undefined : version === 4 ? 'ipv4' : 'ipv6'
}
