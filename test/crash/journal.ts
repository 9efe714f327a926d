import { certainKeys, change, imageOf, type Outcome, type Possible } from './possible.ts'
import { V1Journal } from './v1-journal.ts'

export interface OpenUpload {
  readonly image: string
  /** What it is to become. */
  readonly bytes: Buffer
  /** How much of it was acknowledged, and how much was sent. */
  readonly acknowledged: number
  /** False: it was to end, and may have. */
  readonly certain: boolean
}

/** What a client knows of a manifest that it has made. */
export interface KnownManifest {
  readonly mediaType: string
  readonly bytes: Buffer
  readonly blobs: readonly string[]
  readonly entries: readonly string[]
  readonly subject: string | undefined
}

/** Tags that one request sets: all of them, or none. */
export interface Together {
  readonly image: string
  readonly tags: readonly string[]
  readonly digest: string
}

interface Claims {
  /** By `<image> <name>`. */
  readonly tags: Map<string, Possible<string | undefined>>
  readonly manifests: Map<string, Possible<boolean>>
  readonly blobs: Map<string, Possible<boolean>>
  /** By URL. */
  readonly uploads: Map<string, OpenUpload>
  together: Together | undefined
}

/**
 * What a client has sent to a registry, what it was told, and so what must be true of the registry from then on, however it
 * ends. Digests are texts here: nothing of the product is used to say what is right.
 */
export class Journal {
  readonly blobBytes = new Map<string, Buffer>()
  readonly manifestOf = new Map<string, KnownManifest>()
  /** Of the repository that speaks the V1 API. */
  readonly v1: V1Journal
  #claims: Claims = { tags: new Map(), manifests: new Map(), blobs: new Map(), uploads: new Map(), together: undefined }

  constructor(v1 = new V1Journal()) {
    this.v1 = v1
  }

  get claims(): Readonly<Claims> {
    return this.#claims
  }

  /** What is claimed now, to be gone back to. */
  snapshot() {
    return { ...structuredClone(this.#claims), v1: this.v1.snapshot() }
  }

  /** The same contents with the claims of another moment. */
  as({ v1, ...claims }: ReturnType<Journal['snapshot']>): Journal {
    const journal = new Journal(this.v1.as(v1))
    for (const [digest, bytes] of this.blobBytes) journal.blobBytes.set(digest, bytes)
    for (const [digest, manifest] of this.manifestOf) journal.manifestOf.set(digest, manifest)
    journal.#claims = structuredClone(claims)
    return journal
  }

  /** A request has been sent that makes it `value`; call what is returned with how it ended. */
  setTag(image: string, tag: string, digest: string | undefined): (outcome: Outcome) => void {
    return change(this.#claims.tags, `${image} ${tag}`, undefined, digest)
  }

  setManifest(image: string, digest: string, there: boolean): (outcome: Outcome) => void {
    return change(this.#claims.manifests, `${image} ${digest}`, false, there)
  }

  setBlob(image: string, digest: string, there: boolean): (outcome: Outcome) => void {
    return change(this.#claims.blobs, `${image} ${digest}`, false, there)
  }

  setTogether(together: Together): (outcome: Outcome) => void {
    this.#claims.together = together
    return (outcome) => {
      if (outcome !== 'unknown') this.#claims.together = undefined
    }
  }

  setUpload(url: string, upload: OpenUpload | undefined): void {
    if (upload) this.#claims.uploads.set(url, upload)
    else this.#claims.uploads.delete(url)
  }

  /** Looked at after a restart: from here on it is certain. */
  observed(seen: { readonly tags: Map<string, string | undefined>; readonly manifests: Map<string, boolean> }): void {
    for (const [key, digest] of seen.tags) this.#claims.tags.set(key, new Set([digest]))
    for (const [key, there] of seen.manifests) this.#claims.manifests.set(key, new Set([there]))
    this.#claims.together = undefined
  }

  observedBlob(key: string, there: boolean): void {
    this.#claims.blobs.set(key, new Set([there]))
  }

  tagsOf(image: string): readonly string[] {
    return certainKeys(this.#claims.tags, image, (digest) => digest !== undefined)
  }

  manifestsOf(image: string): readonly string[] {
    return certainKeys(this.#claims.manifests, image, (there) => there)
  }

  blobsOf(image: string): readonly string[] {
    return certainKeys(this.#claims.blobs, image, (there) => there)
  }

  /** Tags that may stand for this manifest. */
  tagsFor(image: string, digest: string): readonly string[] {
    const tags = [...this.#claims.tags].filter(([, possible]) => possible.has(digest))
    return tags.map(([key]) => key.split(' ')).flatMap(([of, tag = '']) => (of === image ? [tag] : []))
  }

  /** Garbage collection without a time of grace is under way: what is not certainly in use may go. */
  mayBeCollected(): void {
    const { manifests, blobs } = this.#claims
    const held = this.#held()
    for (const [key, possible] of manifests) if (!held.has(key)) manifests.set(key, new Set([...possible, false]))
    for (const [key, possible] of blobs) if (!held.has(key)) blobs.set(key, new Set([...possible, false]))
    this.v1.mayBeCollected()
  }

  /** Keys of the manifests and blobs that certainly must stay. */
  #held(): ReadonlySet<string> {
    const held = new Set<string>()
    const hold = (image: string, digest: string): void => {
      const key = `${image} ${digest}`
      const there = this.#claims.manifests.get(key)
      if (held.has(key) || there === undefined || there.has(false)) return
      held.add(key)
      const manifest = this.manifestOf.get(digest)
      for (const entry of manifest?.entries ?? []) hold(image, entry)
      for (const blob of manifest?.blobs ?? []) held.add(`${image} ${blob}`)
      for (const referrer of this.manifestsOf(image))
        if (this.manifestOf.get(referrer)?.subject === digest) hold(image, referrer)
    }
    for (const [key, possible] of this.#claims.tags) {
      const [digest, ...others] = possible
      if (digest !== undefined && others.length === 0) hold(imageOf(key), digest)
    }
    return held
  }
}
