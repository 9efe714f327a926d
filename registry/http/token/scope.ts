import { RegistryError } from '../../domain/errors.ts'
import type { AccessRules } from '../../domain/access-rules.ts'
import { actions, type Action, type Principal } from '../../domain/permissions.ts'
import type { Grant, TokenContents } from '../../identity/tokens.ts'
import { resolveName, type V2Address } from '../v2/address.ts'

/** What docker's words of a scope ask for. */
const asksFor: Readonly<Record<string, readonly Action[]>> = {
  pull: ['read'],
  push: ['deploy'],
  delete: ['delete'],
  '*': actions,
}

/** `<type>:<name>:<action>,<action>`; a name may contain a colon, when it begins with host and port. */
const form = /^([a-z]+)(?:\([a-z]+\))?:(.+):([a-z*,]*)$/
/** More than any client asks for; each one costs a place in the token. */
const maxScopes = 100

export interface Access {
  readonly rules: AccessRules
  readonly anonymousAccess: boolean
}

/**
 * What of `scopes` the principal may have. What it may not, or what names nothing here, is left out without an error, as
 * distribution's "Token Scope Documentation" wants it; the request that needs it is then refused.
 */
export function grantScopes(
  scopes: readonly string[],
  principal: Principal,
  address: V2Address,
  access: Access,
): Omit<TokenContents, 'owner'> {
  const grants: Grant[] = []
  let catalog = false
  for (const scope of scopes.slice(0, maxScopes)) {
    const [, type, name = '', words = ''] = form.exec(scope) ?? []
    if (type === 'registry' && name === 'catalog') catalog ||= principal.kind === 'user' || access.anonymousAccess
    const grant =
      type === 'repository' ? grantImage(name, words.split(','), principal, address, access.rules) : undefined
    if (grant) grants.push(grant)
  }
  return { grants, catalog }
}

/** Keys of the repositories that images are named of. */
export function repositoriesIn(scopes: readonly string[], address: V2Address): readonly string[] {
  return scopes.slice(0, maxScopes).flatMap((scope) => {
    const [, type, name = ''] = form.exec(scope) ?? []
    return type === 'repository' ? (resolveOrNothing(address, name)?.repository ?? []) : []
  })
}

function grantImage(
  name: string,
  words: readonly string[],
  principal: Principal,
  address: V2Address,
  rules: AccessRules,
): Grant | undefined {
  const named = resolveOrNothing(address, name)
  if (!named) return undefined
  const asked = new Set(words.flatMap((word) => asksFor[word] ?? []))
  const granted = [...asked].filter(
    (action) => rules.tagsOf(principal, action, named.repository, named.image).extent !== 'none',
  )
  return granted.length > 0 ? { ...named, actions: granted } : undefined
}

function resolveOrNothing(address: V2Address, name: string) {
  try {
    return resolveName(address, name)
  } catch (error) {
    if (error instanceof RegistryError) return undefined
    throw error
  }
}
