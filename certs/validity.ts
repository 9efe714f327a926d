export const dayMs = 86_400_000

/** New certificates are valid from a little earlier on: clocks of clients, virtual machines above all, run behind. */
export const clockSkewMs = 3_600_000
