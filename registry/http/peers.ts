import type { Server } from 'node:http'
import { BlockList, isIP, type Socket } from 'node:net'
import { isAddressRange } from '../../wire/address-range.ts'

/** How far the other end of a connection is believed: our socket wholly, a trusted proxy in what it forwards. */
export type Trust = 'socket' | 'proxy' | 'none'

/**
 * Who is at the other end, decided once a connection when it is made: a socket that has been closed has no address any
 * more, and must not be taken for the unix socket that never had one.
 */
export class Peers {
  readonly #trusted: BlockList
  readonly #trust = new WeakMap<Socket, Trust>()

  /** Throws for an entry that is neither address nor CIDR range. */
  constructor(trustedProxies: readonly string[]) {
    this.#trusted = blockListOf(trustedProxies)
  }

  watch(server: Server, kind: 'unix' | 'tcp'): void {
    server.on('connection', (socket: Socket) => {
      this.#trust.set(socket, kind === 'unix' ? 'socket' : this.#trustByAddress(socket.remoteAddress))
    })
  }

  trustOf(socket: Socket): Trust {
    return this.#trust.get(socket) ?? 'none'
  }

  #trustByAddress(address: string | undefined): Trust {
    return address !== undefined && this.#trusted.check(address, familyOf(address)) ? 'proxy' : 'none'
  }
}

function blockListOf(entries: readonly string[]): BlockList {
  const list = new BlockList()
  for (const entry of entries) {
    if (!isAddressRange(entry))
      throw new Error(`registry.trustedProxies: "${entry}" is neither an address nor a range like 10.0.0.0/8`)
    const [address = '', bits] = entry.split('/')
    if (bits === undefined) list.addAddress(address, familyOf(address))
    else list.addSubnet(address, Number(bits), familyOf(address))
  }
  return list
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4'
}
