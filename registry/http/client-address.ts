import { isIP, SocketAddress } from 'node:net'
import type { Context } from './context.ts'
import type { Peers } from './peers.ts'

/**
 * Of the client, in its shortest form: IPv4 as such, however it came. Our socket and a trusted proxy are believed in whom they ask for;
 * of anybody else it is where the connection comes from. Undefined when nobody says so.
 */
export function clientAddress(ctx: Context, peers: Peers): string | undefined {
  const { headers, socket } = ctx.req
  if (ctx.state.trust === 'none') return parseAddress(peers.addressOf(socket) ?? '')
  return lastClient(headers['x-forwarded-for'], peers) ?? parseAddress(oneOf(headers['x-real-ip']))
}

/**
 * Each proxy adds whom it heard from at the end: what stands before the last that is none of ours, a client may have made up. Undefined
 * also when that is no address.
 */
function lastClient(forwardedFor: string | string[] | undefined, peers: Peers): string | undefined {
  const addresses = oneOf(forwardedFor).split(',').map(parseAddress)
  return addresses.findLast((address) => address === undefined || !peers.isProxy(address))
}

function oneOf(header: string | string[] | undefined): string {
  return [header ?? ''].flat().join(',')
}

/** Some proxies add the port, and brackets around IPv6. */
const withPort = /^(\d{1,3}(?:\.\d{1,3}){3}):\d{1,5}$/
const inBrackets = /^\[([^\]]*)\](?::\d{1,5})?$/
const mapped = /^::ffff:(\d.*)$/

/** Undefined for what is no address. */
function parseAddress(text: string): string | undefined {
  const trimmed = text.trim()
  const address = withPort.exec(trimmed)?.[1] ?? inBrackets.exec(trimmed)?.[1] ?? trimmed
  switch (isIP(address)) {
    case 4:
      return address
    case 6: {
      const shortest = new SocketAddress({ address, family: 'ipv6' }).address
      return mapped.exec(shortest)?.[1] ?? shortest
    }
    default:
      return undefined
  }
}
