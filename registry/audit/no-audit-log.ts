import { RegistryError } from '../domain/errors.ts'
import type { AuditLog } from './audit-log.ts'

/** Keeps nothing. A query throws UNSUPPORTED. */
export const noAuditLog: AuditLog = {
  record() {},
  async query() {
    throw new RegistryError('UNSUPPORTED', { message: 'there is no audit log: audit.file is off' })
  },
  async [Symbol.asyncDispose]() {},
}
