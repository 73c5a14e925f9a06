/** Maps of lists, and of how often something is there. */

/** The items by a key, in the order in which the keys first come; those without a key are left out. */
export function groupBy<T, K>(
  items: Iterable<T>,
  keyOf: (one: T) => K | undefined,
): ReadonlyMap<K, readonly T[]> {
  const groups = new Map<K, T[]>()
  for (const one of items) {
    const key = keyOf(one)
    if (key !== undefined) push(groups, key, one)
  }
  return groups
}

/** Adds a value to the list of its key, which may be its first. */
export function push<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key)
  if (list) list.push(value)
  else lists.set(key, [value])
}

/** How many items have each key, in the order in which the keys first come; those without a key are left out. */
export function countBy<T, K>(items: Iterable<T>, keyOf: (one: T) => K | undefined): ReadonlyMap<K, number> {
  const counts = new Map<K, number>()
  for (const one of items) {
    const key = keyOf(one)
    if (key !== undefined) counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  return counts
}

/** Names with their counts, the highest count first, and equal ones in the order of the alphabet. */
export function mostFirst(
  counts: Iterable<readonly [name: string, count: number]>,
): readonly (readonly [name: string, count: number])[] {
  return [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
}
