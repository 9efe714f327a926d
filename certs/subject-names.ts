import type { X509Certificate } from 'node:crypto'
import { canonicalAddress, wildcardOver, type CertificateNames } from './names.ts'

/** Names and addresses that a certificate is for; of one without alternative names its common name, as old clients do. */
export function subjectNames(certificate: X509Certificate): CertificateNames {
  const alternatives = certificate.subjectAltName?.split(', ')
  if (!alternatives) return { dns: commonNames(certificate), addresses: [] }
  const valuesOf = (kind: string) =>
    alternatives.filter((name) => name.startsWith(kind)).map((name) => name.slice(kind.length).toLowerCase())
  const addresses = valuesOf('IP Address:').map(canonicalAddress)
  return { dns: valuesOf('DNS:'), addresses: addresses.filter((address) => address !== undefined) }
}

/** Those of `wanted` that the certificate does not stand for. */
export function uncovered(certificate: X509Certificate, wanted: CertificateNames): readonly string[] {
  const has = subjectNames(certificate)
  const dns = new Set(has.dns)
  const addresses = new Set(has.addresses)
  return [
    ...wanted.dns.filter((name) => !dns.has(name) && !dns.has(safeWildcardOver(name))),
    ...wanted.addresses.filter((address) => !addresses.has(address)),
  ]
}

/** Many clients (Node among them) take no wildcard right below a top-level name: `*.localhost` stands for nothing there. */
function safeWildcardOver(name: string): string {
  const wildcard = wildcardOver(name)
  return wildcard !== undefined && wildcard.split('.').length > 2 ? wildcard : name
}

function commonNames(certificate: X509Certificate): readonly string[] {
  const { CN } = certificate.toLegacyObject().subject
  return [CN ?? []].flat().map((name) => name.toLowerCase())
}
