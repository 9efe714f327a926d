#!/usr/bin/env node
// Plain JavaScript, so that a Node which is too old for the product answers with a sentence, not with a syntax error.
import { existsSync } from 'fs'

const oldest = 24
if (Number(process.versions.node.split('.')[0]) < oldest) {
  console.error(
    `caisson needs Node ${oldest} or newer; this is ${process.version} (${process.execPath}).\n` +
      'In a checkout, "npm ci" brings the right one (do not omit the dev dependencies), and "npm start" or\n' +
      '"npm run caisson -- <command>" use it. Elsewhere install Node 24 or newer: https://nodejs.org',
  )
  process.exit(1)
}

// The sources when there are sources, what the build made of them in a published package.
const extension = existsSync(new URL('./program.ts', import.meta.url)) ? 'ts' : 'js'
if (process.argv[2] === 'worker') {
  // A process that serve has started; it does without the command line.
  const { runWorker } = await import(`./worker.${extension}`)
  runWorker()
} else {
  const { run } = await import(`./program.${extension}`)
  await run(process.argv)
}
