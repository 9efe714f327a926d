/** Lists of words in one column: they are read and written whole, and never searched. */
export function listText(words: readonly string[]): string {
  return JSON.stringify(words)
}

/** As {@link listText} has written them. */
export function listOf(text: string): readonly string[] {
  return JSON.parse(text) as readonly string[]
}
