/** Names in a sentence: `a`, `a and b`, `a, b and c`. */
export function enumerate(names: readonly string[], word: 'and' | 'or'): string {
  const last = names.at(-1) ?? ''
  return names.length < 2 ? last : `${names.slice(0, -1).join(', ')} ${word} ${last}`
}

/** A few names, or the number of more than three: `a, b and c`, `4 containers`. */
export function enumerateFew(names: readonly string[], noun: string, word: 'and' | 'or'): string {
  return names.length > 3 ? counted(names.length, noun) : enumerate(names, word)
}

/** The first of many names, and how many more there are: `a, b, c and 37 more`. */
export function firstOf(names: readonly string[], most = 3): string {
  const rest = names.length - most
  return rest > 0 ? `${names.slice(0, most).join(', ')} and ${rest} more` : enumerate(names, 'and')
}

/** `12,345`. toLocaleString would load the data of all languages for it: 20 ms. */
export function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',')
}

/** `once`, `3 times`. */
export function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`
}

/** `1 pod`, `3 pods`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

/** `both pods`, `all 3 pods`: of more than one. */
export function allOf(count: number, noun: string): string {
  return count === 2 ? `both ${noun}s` : `all ${counted(count, noun)}`
}
