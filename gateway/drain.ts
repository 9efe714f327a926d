import type { GatewayServer } from './server.ts'

const idleCheckMs = 100

/** Accepts no more, closes connections as their transfers end, and after `seconds` those that have not ended. */
export async function drain(server: GatewayServer, seconds: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<undefined>()
  server.close(() => resolve(undefined))
  const idle = setInterval(() => server.closeIdleConnections(), idleCheckMs)
  const deadline = setTimeout(() => server.closeAllConnections(), seconds * 1000)
  await promise
  clearInterval(idle)
  clearTimeout(deadline)
}
