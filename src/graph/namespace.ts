/** What names of namespaces tell by convention. */

/** Whether the name has one of the words between its hyphens: `shop-dev` has `dev`, `developers` has not. */
export function namespaceNamed(namespace: string, words: readonly string[]): boolean {
  return namespace.split('-').some((part) => words.includes(part))
}
