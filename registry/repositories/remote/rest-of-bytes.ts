/** What comes after the first `skip` bytes. Throws what `tooMuch` makes before it would give more than `most`. */
export async function* restOfBytes(
  bytes: AsyncIterable<Uint8Array>,
  { skip, most, tooMuch }: { readonly skip: number; readonly most: number; readonly tooMuch: () => Error },
): AsyncGenerator<Uint8Array> {
  let [toSkip, left] = [skip, most]
  for await (const chunk of bytes) {
    const rest = chunk.subarray(Math.min(toSkip, chunk.length))
    toSkip -= chunk.length - rest.length
    left -= rest.length
    if (left < 0) throw tooMuch()
    if (rest.length > 0) yield rest
  }
}
