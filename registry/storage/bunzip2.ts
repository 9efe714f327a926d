import unbzip2 from 'unbzip2-stream'

/** Written at once. */
const sliceBytes = 4096
/** Of one slice, or of the last blocks: 45 bytes can stand for 46 MB, and what makes so much of so little was made to. */
const maxPlainBytes = 96 * 1024 ** 2

/**
 * The package's stream is of the oldest kind: it unpacks while it is written to, keeps about a megabyte back until the end, and knows no
 * back-pressure. Throws for what is not in bzip2, and for what comes to more than `maxAtOnce` bytes in one go.
 */
export async function* bunzip2(packed: AsyncIterable<Buffer>, maxAtOnce = maxPlainBytes): AsyncGenerator<Buffer> {
  const stream = unbzip2()
  let plain: Buffer[] = []
  let bytes = 0
  let failure: unknown
  stream.on('data', (chunk: Buffer) => {
    plain.push(chunk)
    bytes += chunk.length
    // What is thrown here ends the unpacking.
    if (bytes > maxAtOnce) throw new Error(`more than ${maxAtOnce} bytes at once`)
  })
  stream.on('error', (error: unknown) => (failure ??= error))
  const unpacked = function* () {
    if (failure !== undefined) throw new Error('not in bzip2', { cause: failure })
    yield* plain
    plain = []
    bytes = 0
  }
  for await (const chunk of packed)
    for (let at = 0; at < chunk.length; at += sliceBytes) {
      stream.write(chunk.subarray(at, at + sliceBytes))
      yield* unpacked()
    }
  stream.end()
  yield* unpacked()
}
