import { RegistryError, type ErrorCode } from '../../domain/errors.ts'
import { UpstreamFailure } from '../upstream/upstream.ts'

/**
 * What a client is told when the upstream could not be asked for something that is not here. `hardFail`: that it cannot be said whether
 * there is such a thing; else, that there is none here, since docker shows the reason with that alone.
 */
export function refusalFor(
  failure: UpstreamFailure,
  absent: Extract<ErrorCode, 'MANIFEST_UNKNOWN' | 'BLOB_UNKNOWN' | 'NAME_UNKNOWN'>,
  { hardFail }: { readonly hardFail: boolean },
): RegistryError {
  const { message, retryAfterSeconds, kind } = failure
  if (kind === 'limited')
    return new RegistryError('TOOMANYREQUESTS', {
      message,
      cause: failure,
      ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
    })
  return new RegistryError(hardFail ? 'UNAVAILABLE' : absent, {
    message: `not cached here, and ${message}`,
    cause: failure,
  })
}

export function isStorageFull(error: unknown): boolean {
  return error instanceof RegistryError && error.code === 'STORAGE_FULL'
}

/** Runs `ask`; what the upstream fails with goes to `otherwise`, everything else is thrown. */
export async function orFailing<result>(
  ask: () => Promise<result>,
  otherwise: (failure: UpstreamFailure) => Promise<result>,
): Promise<result> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof UpstreamFailure) return await otherwise(error)
    throw error
  }
}
