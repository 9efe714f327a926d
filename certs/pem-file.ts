import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { hasCode } from './atomic-file.ts'
import { CertificateError } from './certificate-error.ts'

/** Undefined when there is no such file. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw unreadable(path, error)
  }
}

export async function readPem(path: string): Promise<string> {
  const text = await readIfThere(path)
  if (text === undefined) throw new CertificateError(`${path} does not exist: correct the path or put the file there`)
  return text
}

/** The certificates of a PEM text, the server's own first as TLS wants it. `path` is for messages only. */
export function parseCertificates(path: string, text: string): readonly [X509Certificate, ...X509Certificate[]] {
  const blocks = text.match(/-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]+-----END [A-Z0-9 ]+-----/g) ?? []
  const [first, ...chain] = blocks.map((block) => parseCertificate(path, block))
  if (!first) throw new CertificateError(`${path} holds no certificate in PEM form: ${whatInstead(text)}`)
  return [first, ...chain]
}

export function parsePrivateKey(path: string, text: string): KeyObject {
  if (!text.includes('PRIVATE KEY-----')) {
    throw new CertificateError(`${path} holds no private key in PEM form: ${whatInstead(text)}`)
  }
  try {
    return createPrivateKey(text)
  } catch (cause) {
    if (text.includes('ENCRYPTED')) {
      throw new CertificateError(
        `the private key in ${path} has a pass phrase: remove it with "openssl pkey -in ${path} -out plain.key"`,
        { cause },
      )
    }
    throw new CertificateError(`the private key in ${path} is damaged: put the key there again`, { cause })
  }
}

function parseCertificate(path: string, block: string): X509Certificate {
  try {
    return new X509Certificate(block)
  } catch (cause) {
    throw new CertificateError(`a certificate in ${path} is damaged: put the file there again`, { cause })
  }
}

function whatInstead(text: string): string {
  const found = /-----BEGIN ([A-Z0-9 ]+)-----/.exec(text)?.[1]
  if (found) return `it holds a ${found}; was another file meant?`
  if (text.trim() === '') return 'it is empty'
  return 'a DER file is converted with "openssl x509 -inform der" (certificate) or "openssl pkey -inform der" (key)'
}

function unreadable(path: string, cause: unknown): CertificateError {
  if (hasCode(cause, 'EACCES')) {
    return new CertificateError(`${path} may not be read by this user: give it read permission`, { cause })
  }
  if (hasCode(cause, 'EISDIR')) return new CertificateError(`${path} is a directory: name the file in it`, { cause })
  return new CertificateError(`${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, {
    cause,
  })
}
