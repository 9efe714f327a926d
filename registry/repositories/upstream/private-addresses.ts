import { lookup, type LookupAddress } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { compileAddressRanges } from '../../../wire/address-ranges.ts'

/** IANA's special-purpose registry: what is not meant to be reached from elsewhere. */
const ofVersion4: readonly string[] = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '224.0.0.0/4',
  '240.0.0.0/4',
]
const ofVersion6: readonly string[] = ['::/127', 'fc00::/7', 'fe80::/10', 'fec0::/10', 'ff00::/8', '2002::/16']

/** Ways in which an address of version 4 is written in version 6: mapped, and as translators do it (RFC 6052). */
const written4In6 = ofVersion4.flatMap((range) => {
  const [address = '', bits] = range.split('/')
  return ['::ffff:', '64:ff9b::'].map((prefix) => `${prefix}${address}/${96 + Number(bits)}`)
})

const isPrivateRange = compileAddressRanges([...ofVersion4, ...ofVersion6, ...written4In6], 'private addresses')

/** Loopback, private, link-local and other addresses that lead nowhere outside. */
export function isPrivateAddress(address: string): boolean {
  return isPrivateRange(address.replace(/%.*$/, ''))
}

export class PrivateAddress extends Error {}

/** For connections that must not lead inside: a name that leads to one private address is refused. */
export const lookupPublic: LookupFunction = (hostname, options, found) => {
  lookup(hostname, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
    if (error) return found(error, [])
    const inside = addresses.find(({ address }) => isPrivateAddress(address))
    if (inside) return found(refusal(hostname, inside.address), [])
    const [first] = addresses
    if (options.all === true) return found(null, addresses)
    return found(null, first?.address ?? '', first?.family)
  })
}

/** Throws for hosts of which no lookup is needed. */
export function refusePrivateHost({ hostname }: URL): void {
  const host = hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '')
  if (isIP(host) === 0 ? /(^|\.)localhost$/.test(host) : isPrivateAddress(host)) throw refusal(hostname, host)
}

function refusal(host: string, address: string): PrivateAddress {
  return new PrivateAddress(`${host} leads to the private address ${address}, and refusePrivateAddresses is set`)
}
