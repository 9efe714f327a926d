/**
 * How the registry hands a blob's bytes to the gateway without carrying them: the gateway offers it with the first
 * header, the registry answers with the absolute path of a file in the second one and an empty body. Both names are
 * those that Rack, Rails and nginx users know. Neither is ever accepted from, or shown to, a client.
 */
export const sendfileOffer = 'x-sendfile-type'
export const sendfileAnswer = 'x-sendfile'
/** The value of the offer that asks for `X-Sendfile`. */
export const sendfileByPath = 'X-Sendfile'

/** The same for those who keep nginx: the value of the offer, the header `<directory>/=<uri prefix>/`, and the answer. */
export const sendfileByAccel = 'X-Accel-Redirect'
export const accelMapping = 'x-accel-mapping'
export const accelAnswer = 'x-accel-redirect'
