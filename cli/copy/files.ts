import type { Readable } from 'node:stream'

export interface FoundFile {
  readonly size: number
  /** To be consumed or destroyed. */
  open(range?: { readonly first: number; readonly last: number }): Promise<Readable>
}

/** Files of somebody else, by paths below one place with slashes between. None leads out of there. */
export interface Files extends AsyncDisposable {
  readonly name: string
  /** Undefined when there is none. Rejects for what leads elsewhere, or is no file. */
  find(path: string): Promise<FoundFile | undefined>
  /** Names, in byte order; undefined when there is no such directory. */
  list(path: string): Promise<readonly string[] | undefined>
}

/** All of a small one. Undefined when there is none. */
export async function readFileOf(files: Files, path: string, maxBytes: number): Promise<Uint8Array | undefined> {
  const file = await files.find(path)
  if (!file) return undefined
  if (file.size > maxBytes) throw new Error(`${files.name}: ${path} has ${file.size} bytes, more than ${maxBytes}`)
  const chunks: Uint8Array[] = []
  for await (const chunk of (await file.open()) as AsyncIterable<Uint8Array>) chunks.push(chunk)
  return Buffer.concat(chunks)
}

export async function readTextOf(files: Files, path: string, maxBytes: number): Promise<string | undefined> {
  const bytes = await readFileOf(files, path, maxBytes)
  return bytes && new TextDecoder().decode(bytes).trim()
}
