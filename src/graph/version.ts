/** Versions of components, as in image tags: `v1.12.3`, `3.5.0-0`. */

/** A release of software. */
export type Version = readonly [major: number, minor: number, patch: number]

/** Reads the leading `X.Y.Z` or `X.Y` (patch 0 is then assumed); undefined when there is none, or no release is numbered so. */
export function version(text: string | undefined): Version | undefined {
  const match = /^v?(\d{1,9})\.(\d{1,9})(?:\.(\d{1,9}))?(?:[-+.]|$)/.exec(text ?? '')
  return match ? [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)] : undefined
}

function compare(a: Version, b: Version): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2]
}

/** Whether a version lies in a range such as `>=1.11.5 <1.11.7`. Conditions that can't be read hold for nothing. */
export function inRange(of: Version, range: string): boolean {
  return range.split(/\s+/).every((condition) => {
    const match = /^(>=|<=|>|<|=)?(.+)$/.exec(condition)
    const bound = version(match?.[2])
    if (!bound) return false
    const order = compare(of, bound)
    switch (match?.[1]) {
      case '>=':
        return order >= 0
      case '<=':
        return order <= 0
      case '>':
        return order > 0
      case '<':
        return order < 0
      default:
        return order === 0
    }
  })
}
