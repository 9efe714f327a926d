import { existsSync } from 'node:fs'
import { cp, lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { syncDirectory, syncFile } from '../storage/durable-files.ts'

/** What is kept in the data directory beside the database and the blobs: our certificates, and the first password of the admin. */
const names = ['certs', 'admin-password']

/** Copies what there is of it, with its permissions, durably. What is there already is replaced. */
export async function copyOwnFiles(from: string, to: string): Promise<void> {
  for (const name of names) {
    if (!existsSync(join(from, name))) continue
    await cp(join(from, name), join(to, name), { recursive: true })
    await syncTree(join(to, name))
  }
  await syncDirectory(to)
}

async function syncTree(path: string): Promise<void> {
  if ((await lstat(path)).isDirectory()) for (const name of await readdir(path)) await syncTree(join(path, name))
  await syncFile(path)
}
