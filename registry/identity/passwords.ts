import { argon2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { RegistryError } from '../domain/errors.ts'

const derive = promisify(argon2)

interface Cost {
  readonly memoryKiB: number
  readonly passes: number
  readonly parallelism: number
}

/** OWASP Password Storage Cheat Sheet, Argon2id. A kept hash says its own cost, so this may be raised any time. */
const cost: Cost = { memoryKiB: 19_456, passes: 2, parallelism: 1 }
const saltBytes = 16
const tagBytes = 32
export const minPasswordLength = 8

/** Throws BAD_REQUEST when nobody should have this password. */
export function checkNewPassword(password: string): void {
  if (password.length < minPasswordLength)
    throw new RegistryError('BAD_REQUEST', {
      message: `the password has ${password.length} characters: expected at least ${minPasswordLength}`,
    })
}

/** In the PHC string format: `$argon2id$v=19$m=…,t=…,p=…$<salt>$<hash>`. */
export async function hashPassword(password: string, salt: Buffer = randomBytes(saltBytes)): Promise<string> {
  const tag = await argon2id(password, salt, cost, tagBytes)
  const { memoryKiB, passes, parallelism } = cost
  return `$argon2id$v=19$m=${memoryKiB},t=${passes},p=${parallelism}$${unpadded(salt)}$${unpadded(tag)}`
}

/** Throws when `encoded` is not what {@link hashPassword} makes. */
export async function verifyPassword(password: string, encoded: string): Promise<boolean> {
  const { salt, tag, ...kept } = parse(encoded)
  return timingSafeEqual(await argon2id(password, salt, kept, tag.length), tag)
}

const form = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/

function parse(encoded: string): Cost & { readonly salt: Buffer; readonly tag: Buffer } {
  const [matched, memory, passes, parallelism, salt = '', tag = ''] = form.exec(encoded) ?? []
  if (matched === undefined) throw new Error('a kept password hash is not in the form $argon2id$v=19$…')
  return {
    memoryKiB: Number(memory),
    passes: Number(passes),
    parallelism: Number(parallelism),
    salt: Buffer.from(salt, 'base64'),
    tag: Buffer.from(tag, 'base64'),
  }
}

function argon2id(password: string, nonce: Buffer, { memoryKiB, passes, parallelism }: Cost, tagLength: number) {
  return derive('argon2id', { message: password, nonce, memory: memoryKiB, passes, parallelism, tagLength })
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replaceAll('=', '')
}
