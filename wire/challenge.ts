/** Set by the gateway, or another proxy that is trusted: how clients of this host are asked to log in, `token` or `basic`. */
export const challengeHeader = 'x-caisson-challenge'
