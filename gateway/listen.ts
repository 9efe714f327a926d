import { once } from 'node:events'
import type { Listener } from './config.ts'
import type { GatewayServer } from './server.ts'

/** Resolves with the port taken; rejects with what to change when it cannot be had. */
export async function listen(server: GatewayServer, listener: Listener, index: number): Promise<number> {
  const { port, address } = listener
  server.listen({ port, ...(address === undefined ? {} : { host: address }) })
  try {
    await once(server, 'listening')
  } catch (error) {
    throw new Error(`${reason(error, listener)}; change gateway.listeners[${index}].port in caisson.yaml`, {
      cause: error,
    })
  }
  const bound = server.address()
  return bound !== null && typeof bound === 'object' ? bound.port : port
}

function reason(error: unknown, { port, address }: Listener): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  const place = address === undefined ? `port ${port}` : `port ${port} of ${address}`
  switch (code) {
    case 'EADDRINUSE':
      return `${place} is in use by another program`
    case 'EACCES':
      return `${place} may not be taken by this user: ports below 1024 need the right CAP_NET_BIND_SERVICE`
    case 'EADDRNOTAVAIL':
      return `${place} cannot be taken: this machine has no such address`
    default:
      return `${place} cannot be taken: ${error instanceof Error ? error.message : String(error)}`
  }
}
