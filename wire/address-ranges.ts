import { BlockList, isIP } from 'node:net'

/** Whether one of the ranges holds this address. */
export type AddressRanges = (address: string) => boolean

/** Whether it is an address, or a range in CIDR form: `10.0.0.0/8`. */
export function isAddressRange(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/')
  const version = isIP(address)
  if (version === 0 || rest.length > 0) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 6 ? 128 : 32))
}

/** `setting` names where the entries stand, for the error that is thrown when one is neither address nor range. */
export function compileAddressRanges(entries: readonly string[], setting: string): AddressRanges {
  if (entries.length === 0) return () => false
  const list = new BlockList()
  for (const entry of entries) {
    if (!isAddressRange(entry))
      throw new Error(`${setting}: "${entry}" is neither an address nor a range like 10.0.0.0/8`)
    const [address = '', bits] = entry.split('/')
    if (bits === undefined) list.addAddress(address, familyOf(address))
    else list.addSubnet(address, Number(bits), familyOf(address))
  }
  return (address) => isIP(address) !== 0 && list.check(address, familyOf(address))
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4'
}
