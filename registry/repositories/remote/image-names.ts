import { isImageName, type ImageName } from '../../domain/names.ts'
import { isDockerHub } from '../upstream/docker-hub.ts'

/** What of a remote repository's settings is about names. */
export interface Naming {
  readonly url: string
  readonly addLibrary?: boolean | undefined
  readonly imagePaths: readonly ImagePath[]
  readonly namespaces?: readonly string[] | undefined
}

interface ImagePath {
  /** First segments of a name here; empty: of all. */
  readonly from: string
  /** What they are at the upstream; empty: left out. */
  readonly to: string
}

/** The one name under which an image is kept here, where clients have two: on Docker Hub, `nginx` is `library/nginx`. */
export function keptNames({ url, addLibrary = isDockerHub(url) }: Naming): (image: ImageName) => ImageName {
  return (image) => {
    const official = `library/${image}`
    return addLibrary && !image.includes('/') && isImageName(official) ? official : image
  }
}

/** What the upstream calls an image that is kept here under this name. */
export function upstreamName({ imagePaths }: Naming, kept: ImageName): ImageName {
  for (const { from, to } of imagePaths) {
    const name = moved(kept, from, to)
    if (name !== undefined) return name
  }
  return kept
}

/** Under which name an image of the upstream is kept here; undefined when none leads to it. */
export function nameOfUpstreams(naming: Naming, name: ImageName): ImageName | undefined {
  const candidates = [...naming.imagePaths.map(({ from, to }) => moved(name, to, from)), name]
  return candidates.find((kept) => kept !== undefined && upstreamName(naming, kept) === name)
}

/** Undefined when the name does not begin with `from`, or nothing would be left. */
function moved(name: ImageName, from: string, to: string): ImageName | undefined {
  if (from !== '' && name !== from && !name.startsWith(`${from}/`)) return undefined
  const rest = from === '' ? name : name.slice(from.length + 1)
  const whole = [to, rest].filter((part) => part !== '').join('/')
  return isImageName(whole) ? whole : undefined
}

/** Registries that this one is a cache of, as containerd names them in `?ns=`. */
export function namespacesOf({ url, namespaces }: Naming): readonly string[] {
  return namespaces ?? [new URL(url).host, ...(isDockerHub(url) ? ['docker.io'] : [])]
}
