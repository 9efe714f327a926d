import { RegistryError } from '../../domain/errors.ts'
import type { PushedV1Layer } from '../../storage/v1-images.ts'

/** What a client says that the sums of an image are. */
export interface SaidSums {
  /** `sha256:<hex>`. */
  readonly payload: string
  /** `tarsum+sha256:<hex>`, or of another version of tarsum; undefined where it says nothing. */
  readonly tarsum: string | undefined
}

/** Throws DIGEST_INVALID when what has come in is something else. */
export function compareSums({ payload, tarsum }: SaidSums, layer: PushedV1Layer): void {
  if (payload !== layer.checksum) throw mismatch('X-Docker-Checksum-Payload', payload, layer.checksum)
  const actual = comparable(tarsum, layer)
  if (tarsum !== undefined && actual !== undefined && tarsum !== actual)
    throw mismatch('X-Docker-Checksum', tarsum, actual)
}

/** Undefined where nothing can be said: of a version that is not known here, or of what is no tar to us. */
function comparable(tarsum = '', layer: PushedV1Layer): string | undefined {
  if (tarsum.startsWith('tarsum.v1+')) return layer.tarsumV1
  return tarsum.startsWith('tarsum+') && layer.isTarsumCertain ? layer.tarsum : undefined
}

function mismatch(header: string, expected: string, actual: string): RegistryError {
  return new RegistryError('DIGEST_INVALID', {
    message: `Checksum mismatch: ${header} says ${expected}, and what has arrived has ${actual}`,
    detail: { expected, actual },
  })
}
