import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { exportJWK, generateKeyPair, SignJWT, type JWK, type JWTPayload } from 'jose'
import type { TestCertificate } from './test-certificate.ts'

/** A provider of tokens for jobs, as small as can be: a description of itself, keys, and what it signs with them. */
export interface TokenIssuer extends AsyncDisposable {
  readonly issuer: string
  /** Paths that it was asked for. */
  readonly asked: string[]
  /** Public keys that it tells. */
  readonly keys: JWK[]
  /** Instead of its own answer, at a path. */
  readonly instead: Map<string, (response: ServerResponse) => void>
  /** Signs with a new key from now on, and tells that one too. */
  addKey(algorithm?: string): Promise<void>
  sign(claims: JWTPayload): Promise<string>
}

export const discoveryPath = '/.well-known/openid-configuration'
export const keysPath = '/keys'

/** Over TLS with a certificate, which must be for localhost. */
export async function startTokenIssuer(certificate?: TestCertificate): Promise<TokenIssuer> {
  const asked: string[] = []
  const keys: JWK[] = []
  const instead = new Map<string, (response: ServerResponse) => void>()
  const server = certificate ? createTlsServer(certificate) : createServer()
  const issuer = await listen(server, certificate ? 'https' : 'http')
  server.on('request', ({ url = '' }, response: ServerResponse) => {
    asked.push(url)
    const own = url === discoveryPath ? { issuer, jwks_uri: `${issuer}${keysPath}` } : { keys }
    const answer = instead.get(url) ?? ((response) => response.end(JSON.stringify(own)))
    answer(response)
  })

  let signing: { readonly alg: string; readonly kid: string; readonly key: CryptoKey } | undefined
  const running: TokenIssuer = {
    issuer,
    asked,
    keys,
    instead,
    async addKey(alg = 'ES256') {
      const { publicKey, privateKey } = await generateKeyPair(alg)
      const kid = `key-${keys.length}`
      keys.push({ ...(await exportJWK(publicKey)), kid, alg, use: 'sig' })
      signing = { alg, kid, key: privateKey }
    },
    async sign(claims) {
      if (!signing) throw new Error('the issuer has no key yet')
      const { alg, kid, key } = signing
      return await new SignJWT(claims).setProtectedHeader({ alg, kid }).sign(key)
    },
    async [Symbol.asyncDispose]() {
      if (!server.listening) return
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  await running.addKey()
  return running
}

async function listen(server: Server, scheme: 'http' | 'https'): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('a TCP server has a port')
  return `${scheme}://${scheme === 'https' ? 'localhost' : '127.0.0.1'}:${address.port}`
}
