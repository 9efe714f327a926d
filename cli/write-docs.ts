import { writeFile } from 'node:fs/promises'
import { configJsonSchema } from './config-schema.ts'
import { configurationReference } from './configuration-reference.ts'

// npm run docs: what is generated under docs/; a test fails while it is out of date.
const docs = new URL('../docs/', import.meta.url)
await writeFile(new URL('configuration.md', docs), configurationReference())
await writeFile(new URL('caisson.schema.json', docs), `${JSON.stringify(configJsonSchema(), null, 2)}\n`)
