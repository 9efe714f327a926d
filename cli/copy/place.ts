import { isAbsolute, resolve } from 'node:path'
import { isImageName, isTag, parseReference, type ImageName, type Reference } from '../../registry/domain/names.ts'

/** All images of a registry; one with all its tags; or one under one reference. */
export interface Wanted {
  readonly image: ImageName | undefined
  readonly reference: Reference | undefined
}

interface RegistryPlace extends Wanted {
  readonly host: string
}
export type FilesPlace = {
  readonly kind: 'docker-registry' | 'distribution' | 'docker-archive' | 'oci'
  readonly path: string
}
export type Place =
  (RegistryPlace & { readonly kind: 'docker' }) | (RegistryPlace & { readonly kind: 'docker-v1' }) | FilesPlace

const registries = ['docker', 'docker-v1'] as const
const files = ['docker-registry', 'distribution', 'docker-archive', 'oci'] as const
const host = /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-fA-F:]+\])(?::\d{1,5})?$/
const expected =
  'expected docker://host[:port][/image[:tag|@digest]], docker-v1://…, docker-registry:/path, distribution:/path, ' +
  'docker-archive:/file.tar or oci:/path'

/** Throws, saying what was expected. */
export function parsePlace(text: string): Place {
  const [, scheme = '', rest = ''] = /^([a-z0-9-]+):(.+)$/s.exec(text) ?? []
  const kind = registries.find((known) => known === scheme)
  if (kind && rest.startsWith('//')) return { kind, ...parseAddress(text, rest.slice(2)) }
  const format = files.find((known) => known === scheme)
  if (format) return { kind: format, path: isAbsolute(rest) ? rest : resolve(rest) }
  throw new Error(`"${text}": ${expected}`)
}

function parseAddress(text: string, address: string): Wanted & { readonly host: string } {
  if (address.includes('@') && !/@sha(?:256|512):/.test(address))
    throw new Error(`a user name stands in its own option, not in the address`)
  const [, name = '', path] = /^([^/]+)\/?(.*)$/s.exec(address) ?? []
  if (!host.test(name)) throw new Error(`"${text}": expected a host, with its port when it is not the usual one`)
  return { host: name, ...(path ? parseWanted(path) : { image: undefined, reference: undefined }) }
}

/** `image`, `image:tag` or `image@digest`. Throws for what is none of them. */
export function parseWanted(text: string): Wanted & { readonly image: ImageName } {
  const [, image = '', tag, digest] = /^([^:@]+)(?::([^:@/]+))?(?:@(.+))?$/s.exec(text) ?? []
  const isRight = isImageName(image) && (tag === undefined || isTag(tag)) && !(tag !== undefined && digest)
  if (!isRight) throw new Error(`"${text}" is no image: expected like team/app, team/app:1.0 or team/app@sha256:…`)
  const reference = digest ?? tag
  return { image, reference: reference === undefined ? undefined : parseReference(reference) }
}
