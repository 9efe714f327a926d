const messages = {
  BLOB_UNKNOWN: 'blob unknown to registry',
  BLOB_UPLOAD_INVALID: 'the chunk does not continue the upload',
  BLOB_UPLOAD_UNKNOWN: 'blob upload unknown to registry',
  DIGEST_INVALID: 'provided digest did not match uploaded content',
  MANIFEST_BLOB_UNKNOWN: 'the manifest names a manifest or blob that the image does not have',
  MANIFEST_INVALID: 'manifest invalid',
  MANIFEST_UNKNOWN: 'manifest unknown to registry',
  NAME_INVALID: 'invalid image name',
  NAME_UNKNOWN: 'repository name not known to registry',
  SIZE_INVALID: 'provided length did not match content length',
  UNAUTHORIZED: 'authentication required',
  DENIED: 'requested access to the resource is denied',
  UNSUPPORTED: 'the operation is unsupported',
  TOOMANYREQUESTS: 'too many requests',
  // Not in the specification's table, because its cases have none there; the first five are distribution's.
  MANIFEST_UNVERIFIED: 'manifest failed signature verification',
  TAG_INVALID: 'the tag is not valid',
  TAG_FIXED: 'the tag may not be moved',
  TOO_MANY_TAGS: 'too many tags in one request',
  RANGE_INVALID: 'the requested range cannot be satisfied',
  PAGINATION_NUMBER_INVALID: 'invalid number of results requested',
  UNAVAILABLE: 'service unavailable',
  MANIFEST_TOO_LARGE: 'the manifest is larger than this registry accepts',
  STORAGE_FULL: "no space left on the registry's disk",
  BAD_REQUEST: 'the request cannot be understood',
  PRECONDITION_FAILED: 'the request lacks something that it needs',
  CONFLICT: 'it is not as the request takes it to be',
} as const

/** The codes of OCI distribution 1.1, "Error Codes", and a few of our own. */
export type ErrorCode = keyof typeof messages

/** Every failure that a client is told about; anything else becomes an opaque 500 and a full log line. */
export class RegistryError extends Error {
  readonly code: ErrorCode
  readonly detail: unknown
  /** When it may be worth trying again, where that is known. */
  readonly retryAfterSeconds: number | undefined
  constructor(
    code: ErrorCode,
    options: { message?: string; detail?: unknown; cause?: unknown; retryAfterSeconds?: number } = {},
  ) {
    super(options.message ?? messages[code], { cause: options.cause })
    this.code = code
    this.detail = options.detail
    this.retryAfterSeconds = options.retryAfterSeconds
  }
}
