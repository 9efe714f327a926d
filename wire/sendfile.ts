/**
 * How the registry hands a blob's bytes to the gateway without carrying them: the gateway offers it with the first
 * header, the registry answers with the absolute path of a file in the second one and an empty body. Both names are
 * those that Rack, Rails and nginx users know. Neither is ever accepted from, or shown to, a client.
 */
export const sendfileOffer = 'x-sendfile-type'
export const sendfileAnswer = 'x-sendfile'
/** The value of the offer that asks for `X-Sendfile`. */
export const sendfileByPath = 'X-Sendfile'

/**
 * The same for a file that is still being written, to whoever offers `X-Sendfile`: the first header has its absolute path, the
 * second one how many bytes it will have, `X-Sendfile` where it is moved to, maybe before the peer opens it; there is an `ETag`.
 * The body is the progress: decimal numbers of bytes, one a line, that never fall, each saying that so many can be read. The last
 * one is the whole size, and says that the bytes are verified. A body that ends or breaks off before that line says that they
 * never will be: who was sent a part of them must not take it for the whole.
 */
export const sendfileGrowing = 'x-sendfile-growing'
export const sendfileLength = 'x-sendfile-length'

/** A complete file for those who keep nginx: the value of the offer, the header `<directory>/=<uri prefix>/`, and the answer. */
export const sendfileByAccel = 'X-Accel-Redirect'
export const accelMapping = 'x-accel-mapping'
export const accelAnswer = 'x-accel-redirect'
