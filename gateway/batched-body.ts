import { ClientRequest, type IncomingMessage } from 'node:http'
import { Stream, Writable } from 'node:stream'

const batchBytes = 256 * 1024

/**
 * What http-proxy pipes to the upstream in place of the request. TLS hands its bytes over in records of 16 KiB; sent one
 * by one they cost a system call here and another one there. Those that come in one turn of the event loop leave
 * together.
 */
export class BatchedBody extends Stream {
  readonly #request: IncomingMessage

  constructor(request: IncomingMessage) {
    super()
    this.#request = request
  }

  override pipe<destination extends NodeJS.WritableStream>(destination: destination): destination {
    if (!(destination instanceof ClientRequest)) throw new TypeError('http-proxy pipes to its upstream request')
    // Not pipeline(): a failing upstream must leave the request open, because its client is still to be answered.
    this.#request.pipe(batching(destination))
    return destination
  }
}

function batching(outgoing: ClientRequest): Writable {
  return new Writable({
    highWaterMark: batchBytes,
    writev(chunks, done) {
      // The socket is corked, not the request: a corked request loses count of whether it will ever drain.
      const { socket } = outgoing
      socket?.cork()
      for (const { chunk } of chunks) outgoing.write(chunk)
      socket?.uncork()
      if (outgoing.writableNeedDrain) outgoing.once('drain', done)
      else setImmediate(done)
    },
    final(done) {
      outgoing.end(done)
    },
  })
}
