import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Connections whose request was answered while its body was still to come: never idle, and not worth waiting for. */
export class LateBodies {
  readonly #answeredAt = new Map<Socket, number>()

  watch(request: IncomingMessage, response: ServerResponse): void {
    response.once('finish', () => {
      if (request.complete) return
      this.#answeredAt.set(request.socket, performance.now())
      request.once('close', () => this.#answeredAt.delete(request.socket))
    })
  }

  /** Ends those that were answered so long ago that whoever still sends has had the time to see it. */
  endAfter(ms: number): void {
    for (const [socket, at] of this.#answeredAt) if (performance.now() - at >= ms) socket.destroy()
  }
}
