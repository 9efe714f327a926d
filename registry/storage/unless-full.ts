import { RegistryError } from '../domain/errors.ts'

/** For what is good to know and no reason to refuse anything: it is not kept when the disk is full. */
export async function unlessFull(write: () => Promise<unknown>): Promise<void> {
  try {
    await write()
  } catch (error) {
    if (!(error instanceof RegistryError) || error.code !== 'STORAGE_FULL') throw error
  }
}
