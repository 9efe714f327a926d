import { registerHooks } from 'node:module'
import { mutate, mutationVariable, root, type Mutation } from './mutation.ts'

// Loaded before anything else into a process that `mutated` (mutation.ts) has prepared.
const mutation = JSON.parse(process.env[mutationVariable] ?? '') as Mutation
const mutatedFile = new URL(mutation.file, root).href

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context)
    if (url !== mutatedFile) return loaded
    const source =
      typeof loaded.source === 'string' ? loaded.source : Buffer.from(loaded.source as Uint8Array).toString()
    return { ...loaded, source: mutate(source, mutation) }
  },
})
