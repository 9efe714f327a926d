import type { PushClient } from '../../registry/repositories/upstream/push-client.ts'

/** Where images go. */
export type Target = Pick<
  PushClient,
  'name' | 'login' | 'manifestHead' | 'manifest' | 'hasBlob' | 'begin' | 'upload' | 'cancel' | 'putManifest'
>
