import { pino, type Logger } from 'pino'

export interface KeptLog {
  readonly log: Logger
  /** A JSON text a line. */
  readonly text: () => string
  /** The messages of this level so far. */
  readonly messages: (level: 'info' | 'warn' | 'error') => readonly string[]
}

/** A log that is looked into afterwards. */
export function keepLog(): KeptLog {
  const lines: string[] = []
  const write = (line: string) => void lines.push(line)
  return {
    log: pino({ level: 'trace', formatters: { level: (level) => ({ level }) } }, { write }),
    text: () => lines.join(''),
    messages: (level) =>
      lines
        .map((line) => JSON.parse(line) as { readonly level: string; readonly msg: string })
        .filter((entry) => entry.level === level)
        .map(({ msg }) => msg),
  }
}
