/** A certificate or key that cannot be used. The message names the file and says what to do about it. */
export class CertificateError extends Error {}
