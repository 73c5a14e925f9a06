/** Patterns in which `*` stands for any run of characters. */

/** Whether a text is what a pattern says, in time linear in both for each `*`. */
export function matchesWildcard(pattern: string, text: string): boolean {
  const [first = '', ...rest] = pattern.split('*')
  const last = rest.pop()
  if (last === undefined) return pattern === text
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last))
    return false
  const end = text.length - last.length
  let at = first.length
  // The first place of each part leaves the most room for those behind it.
  for (const part of rest) {
    const found = text.indexOf(part, at)
    if (found < 0 || found + part.length > end) return false
    at = found + part.length
  }
  return true
}

/**
 * Whether a pattern has more stars than can be looked for: an expression tries all ways to share a name of 255 characters out among them,
 * and with five of them in a row that takes minutes.
 */
export function isTooWild(pattern: string): boolean {
  const most = 4
  const starsIn = (text: string, stars: RegExp) => (text.match(stars) ?? []).length
  return (
    pattern.length > 4096 ||
    pattern.split('/').some((part) => starsIn(part, /\*+/g) > most) ||
    starsIn(pattern, /\*\*/g) > most ||
    /[*+]\([^)]*[*+]/.test(pattern)
  )
}
