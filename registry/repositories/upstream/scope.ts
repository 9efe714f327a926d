import type { ImageName } from '../../domain/names.ts'

export const catalogScope = 'registry:catalog:*'

export function pullScope(image: ImageName): string {
  return `repository:${image}:pull`
}

export function pushScope(image: ImageName): string {
  return `repository:${image}:pull,push`
}

/** What lets somebody read, in one registry or another. */
const reading: ReadonlySet<string> = new Set(['pull', 'read', 'metadata_read', 'content/read', 'metadata/read'])

/** The scope that the upstream asks for, when it is about the same image and for reading; else our own. */
export function widenedScope(own: string, asked: string | undefined): string {
  if (asked === undefined || own === catalogScope) return own
  const colon = asked.lastIndexOf(':')
  const actions = asked.slice(colon + 1).split(',')
  const isSameImage = asked.slice(0, colon) === own.slice(0, own.lastIndexOf(':'))
  return isSameImage && actions.every((action) => reading.has(action)) ? asked : own
}
