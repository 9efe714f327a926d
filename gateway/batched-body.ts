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

function batching(destination: ClientRequest): Writable {
  const batches = new Writable({
    highWaterMark: batchBytes,
    writev(chunks: readonly { readonly chunk: Buffer }[], done) {
      destination.cork()
      chunks.forEach(({ chunk }, index) => {
        if (index < chunks.length - 1) destination.write(chunk)
        else destination.write(chunk, () => done()) // called when the batch has left, or the connection is gone
      })
      destination.uncork()
    },
    final(done) {
      destination.end()
      done()
    },
  })
  destination.once('close', () => batches.destroy())
  return batches
}
