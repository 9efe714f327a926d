import { locateApi, type ApiAddress } from '../api-address.ts'

export type V1Address = ApiAddress

/** Artifactory's REST API has paths of its own among those of the V1 API. */
const ofRest = /^migrate(?:\/|$)/

/** Undefined for a path outside the V1 API. `path` is normalised (`parseRequestTarget`). */
export function locateV1(path: string, context: string): V1Address | undefined {
  const address = locateApi('v1', path, context)
  return address && ofRest.test(address.rest) ? undefined : address
}
