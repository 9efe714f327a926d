import type { Action } from '../../domain/permissions.ts'
import type { Context } from '../context.ts'
import { answerDockerConfig } from '../docker-config.ts'
import { answerOAuth2 } from '../token/oauth2.ts'
import { answerToken } from '../token/token.ts'
import type { RegistryNeeds } from './authorise.ts'
import { beginUpload } from './begin-upload.ts'
import { deleteBlob, getBlob } from './blobs.ts'
import type { Call, ImageCall, ImageKind, RegistryKind } from './call.ts'
import { listCatalog } from './catalog.ts'
import { deleteManifest, getManifest, putManifest } from './manifests.ts'
import { listReferrers } from './referrers.ts'
import { listTags } from './tags.ts'
import { appendChunk, cancelUpload, finishUpload, getUpload } from './uploads.ts'
import { checkVersion } from './version.ts'

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** A row of the table. What it needs is checked before `handle` is called; a row for GET is asked by HEAD too. */
interface Row<kind, needs, call> {
  /** Of OCI distribution 1.1, "Endpoints", or a name of ours. */
  readonly id: string
  readonly method: Method
  readonly kind: kind
  readonly needs: needs
  readonly handle: (ctx: Context, call: call) => Promise<void>
}

export type ImageEndpoint = Row<ImageKind, Action, ImageCall>
export type RegistryEndpoint = Row<RegistryKind, RegistryNeeds, Call>

export const imageEndpoints: readonly ImageEndpoint[] = [
  ofImage({ id: 'end-2', method: 'GET', kind: 'blob', needs: 'read', handle: getBlob }),
  ofImage({ id: 'end-3', method: 'GET', kind: 'manifest', needs: 'read', handle: getManifest }),
  ofImage({ id: 'end-4', method: 'POST', kind: 'uploads', needs: 'deploy', handle: beginUpload }),
  ofImage({ id: 'end-5', method: 'PATCH', kind: 'upload', needs: 'deploy', handle: appendChunk }),
  ofImage({ id: 'end-6', method: 'PUT', kind: 'upload', needs: 'deploy', handle: finishUpload }),
  ofImage({ id: 'end-7', method: 'PUT', kind: 'manifest', needs: 'deploy', handle: putManifest }),
  ofImage({ id: 'end-8', method: 'GET', kind: 'tags', needs: 'read', handle: listTags }),
  ofImage({ id: 'end-9', method: 'DELETE', kind: 'manifest', needs: 'delete', handle: deleteManifest }),
  ofImage({ id: 'end-10', method: 'DELETE', kind: 'blob', needs: 'delete', handle: deleteBlob }),
  ofImage({ id: 'end-12', method: 'GET', kind: 'referrers', needs: 'read', handle: listReferrers }),
  ofImage({ id: 'end-13', method: 'GET', kind: 'upload', needs: 'deploy', handle: getUpload }),
  ofImage({ id: 'end-14', method: 'DELETE', kind: 'upload', needs: 'deploy', handle: cancelUpload }),
]

export const registryEndpoints: readonly RegistryEndpoint[] = [
  { id: 'end-1', method: 'GET', kind: 'version', needs: 'login', handle: checkVersion },
  { id: 'catalog', method: 'GET', kind: 'catalog', needs: 'catalog', handle: listCatalog },
  { id: 'token', method: 'GET', kind: 'token', needs: 'nothing', handle: answerToken },
  {
    id: 'auth',
    method: 'GET',
    kind: 'auth',
    needs: 'nothing',
    handle: (ctx, call) => answerDockerConfig(ctx, call.services),
  },
  { id: 'token-oauth2', method: 'POST', kind: 'token', needs: 'nothing', handle: answerOAuth2 },
]

/** The row for calls of any kind; it is given only those of its own. */
function ofImage<kind extends ImageKind>(row: Row<kind, Action, ImageCall<kind>>): ImageEndpoint {
  return {
    ...row,
    handle: async (ctx, call) => {
      if (!isOf(call, row.kind)) throw new TypeError(`${row.id} was given a ${call.resource.kind}`)
      await row.handle(ctx, call)
    },
  }
}

function isOf<kind extends ImageKind>(call: ImageCall, kind: kind): call is ImageCall<kind> {
  return call.resource.kind === kind
}
