import assert from 'node:assert/strict'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Machine } from './machine.ts'

/** What is known of each file below a directory, by its path; owners are numbers. */
export type FileTree = Readonly<Record<string, string>>

/**
 * Lists `directory` with a shell that runs `before` first, which may mount something. Names that are one file are told by
 * each of them; the times of directories are not, since every program that writes into one changes them.
 */
export async function filesBelow(machine: Machine, directory: string, before = 'true'): Promise<FileTree> {
  const output = await machine.run('sh', ['-ec', `${before}\ncd ${directory}\n${list}`])
  const [entries = '', sums = ''] = output.split('\n--\n')
  const contents = new Map(sums.split('\n').map((line) => [line.slice(66), line.slice(0, 64)]))
  const rows = entries.split('\n').map((line) => {
    const [path, inode, time, ...rest] = line.split('|')
    assert.ok(path !== undefined && inode !== undefined && rest.length > 0, line)
    return { path, inode, time, rest }
  })
  const namesOf = Map.groupBy(rows, ({ inode }) => inode)
  return Object.fromEntries(
    rows.map(({ path, inode, time, rest }) => {
      const [type] = rest
      const names = (namesOf.get(inode) ?? []).map(({ path }) => path).toSorted()
      const known = type === 'd' ? rest : [...rest, time, contents.get(path), ...names]
      return [path, known.join(' ')]
    }),
  )
}

const list = String.raw`find . -mindepth 1 -printf '%p|%i|%Ts|%y|%m|%U:%G|' \( -type d -printf '\n' -o -printf '%s|%l\n' \)
echo --
find . -type f -exec sha256sum {} +`

/** Resolves with the directory that layers make, the base first, by the rules of docker's image specification. */
export async function unionOf(machine: Machine, tars: readonly Buffer[]): Promise<string> {
  const root = join(machine.directory, 'files', 'union')
  await mkdir(root, { recursive: true })
  const file = `${root}.tar`
  for (const tar of tars) {
    await writeFile(file, tar)
    for (const name of (await machine.run('tar', ['--quoting-style=literal', '-tf', file])).split('\n'))
      if (name !== '') await makeRoom(root, name)
    await machine.run('tar', ['-C', root, '--exclude=.wh.*', '--numeric-owner', '-pxf', file])
  }
  return root
}

/** Docker's image specification 1.0, "Creating an Image Filesystem Changeset": what an entry takes away. */
async function makeRoom(root: string, name: string): Promise<void> {
  const [directory, last] = [join(root, dirname(name)), basename(name)]
  if (last === '.wh..wh..opq') {
    for (const inside of await readdir(directory)) await rm(join(directory, inside), { recursive: true })
  } else if (last.startsWith('.wh.') && !last.startsWith('.wh..wh.')) {
    await rm(join(directory, last.slice('.wh.'.length)), { recursive: true })
  } else if (!name.endsWith('/')) {
    await rm(join(root, name), { recursive: true, force: true })
  } else {
    // `rmdir` and `unlink` in one: a directory stays when it is one.
    await rm(join(root, name.slice(0, -1))).catch(ignoreDirectory)
  }
}

function ignoreDirectory(error: unknown): void {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code !== 'ENOENT' && code !== 'ERR_FS_EISDIR') throw error
}
