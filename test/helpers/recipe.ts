import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Machine } from './machine.ts'

/**
 * Puts a recipe of deploy/ on the machine as it is, except for what differs from place to place: each key of `here`
 * becomes its value. Throws when the recipe says no such thing, so that the two cannot drift apart.
 */
export async function installRecipe(
  machine: Machine,
  name: string,
  here: Readonly<Record<string, string>>,
): Promise<string> {
  let recipe = await readFile(new URL(`../../deploy/${name}`, import.meta.url), 'utf8')
  for (const [there, value] of Object.entries(here)) {
    if (!recipe.includes(there)) throw new Error(`deploy/${name} does not say ${there}`)
    recipe = recipe.replaceAll(there, value)
  }
  return writeOn(machine, name, recipe)
}

/** Writes a file that the machine's programs can be pointed at. */
export async function writeOn(machine: Machine, name: string, content: string): Promise<string> {
  const file = join(machine.directory, 'files', name)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, content)
  return file
}
