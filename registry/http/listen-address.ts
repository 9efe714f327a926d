/** One entry of `registry.listen`. */
export type ListenAddress =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly address: string; readonly port: number }

/** `sun_path` of Linux without its terminating NUL; other systems have less. */
const maxSocketPathBytes = 107

/** Throws an error that says what is wrong with the entry. */
export function parseListenAddress(entry: string): ListenAddress {
  if (entry.startsWith('unix:')) {
    const path = entry.slice('unix:'.length)
    if (Buffer.byteLength(path) > maxSocketPathBytes)
      throw new Error(`registry.listen: the socket path ${path} is longer than ${maxSocketPathBytes} bytes`)
    return { kind: 'unix', path }
  }
  const [, bracketed, plain = '', port = ''] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(entry) ?? []
  const address = bracketed ?? plain
  if (address === '' || Number(port) > 65_535)
    throw new Error(`registry.listen: "${entry}" is neither unix:<path> nor address:port`)
  return { kind: 'tcp', address, port: Number(port) }
}
