/** Answers that are worked out when somebody first asks. */

/** Computes a value when it is first asked for. */
export function lazy<T>(compute: () => T): () => T {
  let value: { readonly is: T } | undefined
  return () => {
    value ??= { is: compute() }
    return value.is
  }
}

/** Computes the answer for an argument when it is first asked for. */
export function memo<A, T>(compute: (argument: A) => T): (argument: A) => T {
  const known = new Map<A, T>()
  return (argument) => {
    const found = known.get(argument)
    if (found !== undefined || known.has(argument)) return found as T
    const answer = compute(argument)
    known.set(argument, answer)
    return answer
  }
}
