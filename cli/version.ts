import { readFileSync } from 'node:fs'

// In a checkout the manifest lies one folder up; the build puts everything one folder deeper, below dist/.
const manifest = new URL(import.meta.url.endsWith('.ts') ? '../package.json' : '../../package.json', import.meta.url)

/** Of the product, as package.json says it. */
export const version = (JSON.parse(readFileSync(manifest, 'utf8')) as { readonly version: string }).version
