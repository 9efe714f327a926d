export const signedSchema1 = 'application/vnd.docker.distribution.manifest.v1+prettyjws'
export const unsignedSchema1 = 'application/vnd.docker.distribution.manifest.v1+json'

export function isSchema1Type(mediaType: string): boolean {
  return mediaType === signedSchema1 || mediaType === unsignedSchema1
}
