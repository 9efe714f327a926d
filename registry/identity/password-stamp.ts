import { hash } from 'node:crypto'
import type { UserRecord } from '../storage/access-store.ts'

/**
 * Another one after each change of the password, and for another user of the same name; says nothing of the password. `elsewhere`: what
 * the user's realm tells of it, undefined where that tells nothing.
 */
export function passwordStamp({ kind, realm, passwordHash = '' }: UserRecord, elsewhere = ''): string {
  return hash('sha256', JSON.stringify([kind, realm, passwordHash, elsewhere]), 'base64url').slice(0, 16)
}
