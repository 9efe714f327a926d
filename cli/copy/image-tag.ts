import { isImageName, isTag, type ImageName, type Tag } from '../../registry/domain/names.ts'

export interface ImageTag {
  readonly image: ImageName
  readonly tag: Tag
}

/**
 * `registry.example.com/team/app:1` without its registry, or a tag alone, whose image is `unnamed`. Undefined for what is neither. As
 * docker tells them apart: a registry has a dot or a colon, or is localhost.
 */
export function parseImageTag(text: string, unnamed: ImageName | undefined): ImageTag | undefined {
  if (isTag(text) && !text.includes('/')) return unnamed && { image: unnamed, tag: text }
  const [, name = '', tag = ''] = /^(.+):([^:/]+)$/s.exec(text) ?? []
  const image = withoutRegistry(name)
  return isImageName(image) && isTag(tag) ? { image, tag } : undefined
}

export function withoutRegistry(name: string): string {
  const [, first = '', rest] = /^([^/]+)\/(.+)$/s.exec(name) ?? []
  return rest !== undefined && (/[.:]/.test(first) || first === 'localhost') ? rest : name
}
