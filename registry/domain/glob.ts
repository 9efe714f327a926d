/** Whether all of `text` matches, where `*` is any characters and `?` is one. Takes at most `glob × text` steps. */
export function matchesGlob(glob: string, text: string): boolean {
  let [g, t] = [0, 0]
  // Where to go on when what follows the last star does not fit: it then takes one character more.
  let [afterStar, taken] = [-1, 0]
  while (t < text.length) {
    if (glob[g] === '*') {
      afterStar = ++g
      taken = t
    } else if (g < glob.length && (glob[g] === '?' || glob[g] === text[t])) {
      g++
      t++
    } else if (afterStar !== -1) {
      g = afterStar
      t = ++taken
    } else return false
  }
  while (glob[g] === '*') g++
  return g === glob.length
}

/** Whether it could match a tag. */
export function isTagGlob(text: string): boolean {
  return /^[A-Za-z0-9_.*?-]{1,128}$/.test(text)
}
