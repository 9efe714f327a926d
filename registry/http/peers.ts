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
  readonly #trust = new WeakMap<Socket, Trust>()

  /** Throws for an entry that is neither address nor CIDR range. */
  constructor(trustedProxies: readonly string[]) {
    this.#trusted = compileAddressRanges(trustedProxies, 'registry.trustedProxies')
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
    return address !== undefined && this.#trusted(address) ? 'proxy' : 'none'
  }
}
