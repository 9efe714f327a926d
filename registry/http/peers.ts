import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { compileAddressRanges, type AddressRanges } from '../../wire/address-ranges.ts'

/** How far the other end of a connection is believed: our socket wholly, a trusted proxy in what it forwards. */
export type Trust = 'socket' | 'proxy' | 'none'

/**
 * Who is at the other end, decided once a connection when it is made: a socket that has been closed has no address any
 * more, and must not be taken for the unix socket that never had one.
 */
export class Peers {
  readonly #trusted: AddressRanges
  readonly #known = new WeakMap<Socket, { readonly trust: Trust; readonly address: string | undefined }>()

  /** Throws for an entry that is neither address nor CIDR range. */
  constructor(trustedProxies: readonly string[]) {
    this.#trusted = compileAddressRanges(trustedProxies, 'registry.trustedProxies')
  }

  watch(server: Server, kind: 'unix' | 'tcp'): void {
    server.on('connection', (socket: Socket) => {
      const address = kind === 'unix' ? undefined : socket.remoteAddress
      this.#known.set(socket, { trust: kind === 'unix' ? 'socket' : this.#trustByAddress(address), address })
    })
  }

  trustOf(socket: Socket): Trust {
    return this.#known.get(socket)?.trust ?? 'none'
  }

  /** As it was when the connection was made. Undefined on the unix socket. */
  addressOf(socket: Socket): string | undefined {
    return this.#known.get(socket)?.address
  }

  /** Whether it is the address of a trusted proxy. */
  isProxy(address: string): boolean {
    return this.#trusted(address)
  }

  #trustByAddress(address: string | undefined): Trust {
    return address !== undefined && this.isProxy(address) ? 'proxy' : 'none'
  }
}
