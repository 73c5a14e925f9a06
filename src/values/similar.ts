/** "Did you mean": the nearest name by edits. */
import { enumerate } from './enumerate.js'

/** The rows of `editDistance`: to make them anew takes longer than to fill them. */
let rows: [Uint16Array, Uint16Array, Uint16Array] = [
  new Uint16Array(0),
  new Uint16Array(0),
  new Uint16Array(0),
]

function newRow({ length }: string): Uint16Array {
  return new Uint16Array(2 * length + 2)
}

/**
 * The number of insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`;
 * stops counting above `most`.
 */
export function editDistance(a: string, b: string, most: number): number {
  if (a === b) return 0
  if (Math.abs(a.length - b.length) > most) return most + 1
  if (rows[0].length <= b.length) rows = [newRow(b), newRow(b), newRow(b)]
  let [beforeLast, last, row] = rows
  // What lies further from the diagonal is above `most`.
  const above = most + 1
  for (let j = 0; j <= b.length; j++) last[j] = Math.min(j, above)
  for (let i = 1; i <= a.length; i++) {
    const from = Math.max(1, i - most)
    const to = Math.min(b.length, i + most)
    row[from - 1] = from === 1 ? Math.min(i, above) : above
    let least = row[from - 1] as number
    for (let j = from; j <= to; j++) {
      const same = a.charCodeAt(i - 1) === b.charCodeAt(j - 1)
      let cost = (last[j - 1] as number) + (same ? 0 : 1)
      if ((last[j] as number) < cost) cost = (last[j] as number) + 1
      if ((row[j - 1] as number) < cost) cost = (row[j - 1] as number) + 1
      if (
        i > 1 &&
        j > 1 &&
        a.charCodeAt(i - 1) === b.charCodeAt(j - 2) &&
        a.charCodeAt(i - 2) === b.charCodeAt(j - 1)
      )
        cost = Math.min(cost, (beforeLast[j - 2] as number) + 1)
      row[j] = Math.min(cost, above)
      if (cost < least) least = cost
    }
    if (to < b.length) row[to + 1] = above
    if (least > most) return above
    const free = beforeLast
    beforeLast = last
    last = row
    row = free
  }
  return last[b.length] as number
}

/** Whether names are members of a series, `web-1` and `web-2` or `team-a` and `team-b`, and no slips of each other. */
export function inSeries(a: string, b: string): boolean {
  return a !== b && stemOf(a) === stemOf(b)
}

/** What the members of a series have in common: all but numbers and letters that stand alone. */
export function stemOf(name: string): string {
  return name.replace(/\d+|(?<![a-z])[a-z](?![a-z])/gi, '')
}

const lettersOf = (name: string) => [...name].sort().join('')

/**
 * Whether names differ in one short word of theirs, which is another one: of as many letters, or with two of them changed. `app-api` and
 * `app-web`, `app-ld` and `app-tls`, `api-service` and `app1-service`.
 */
function inShortWord(a: string, b: string): boolean {
  const words = a.split(/[^a-zA-Z0-9]+/)
  const others = b.split(/[^a-zA-Z0-9]+/)
  if (words.length !== others.length) return false
  const changed = words.flatMap((word, i) => (word === others[i] ? [] : [[word, others[i] ?? ''] as const]))
  const [[word, other] = ['', '']] = changed
  if (changed.length !== 1 || Math.min(word.length, other.length) > 3) return false
  return word.length === other.length
    ? lettersOf(word) !== lettersOf(other)
    : editDistance(word, other, 1) > 1
}

/**
 * The candidate that `name` was probably meant to be: at most two edits away and at most a third of its length, or
 * the same but for case. Undefined when none is that near. Members of one series are not meant by each other's names, nor are
 * words of three letters by others of three, alone or in longer names: `api` is not `app`, but `tpc` is `tcp` and `shp` is `shop`.
 */
export function nearestName(name: string, candidates: Iterable<string>): string | undefined {
  const most = Math.min(2, Math.max(1, Math.floor(name.length / 3)))
  let best: string | undefined
  let least = most + 1
  for (const candidate of candidates) {
    if (candidate === name || Math.abs(candidate.length - name.length) > most) continue
    const isSame = candidate.length === name.length && candidate.toLowerCase() === name.toLowerCase()
    const distance = isSame ? 0 : editDistance(name, candidate, most)
    // There may be thousands of candidates: few come so far.
    if (distance >= least || inSeries(candidate, name)) continue
    if (isSame) return candidate
    if (!inShortWord(candidate, name)) {
      least = distance
      best = candidate
    }
  }
  return best
}

/** Names that are told: more help nobody. */
const few = 4

/**
 * `Did you mean "a" or "b"?` for what a person meant who typed `name`: the nearest name, else those that begin with it, else
 * those that have all of its words. Empty when there are none.
 */
export function didYouMean(name: string, candidates: Iterable<string>): string {
  const meant = meantNames(name, [...new Set(candidates)]).map((one) => JSON.stringify(one))
  if (meant.length === 0) return ''
  return meant.length > few + 1
    ? `Did you mean ${meant.slice(0, few).join(', ')} or one of ${meant.length - few} more?`
    : `Did you mean ${enumerate(meant, 'or')}?`
}

function meantNames(name: string, candidates: readonly string[]): readonly string[] {
  const near = nearestName(name, candidates)
  if (near !== undefined) return [near]
  const typed = name.toLowerCase()
  const words = typed.split(/[^a-z0-9]+/).filter((word) => word.length > 2)
  if (words.length === 0) return []
  const begun = candidates.filter((one) => one.startsWith(typed)).sort()
  if (begun.length > 0) return begun
  const inOne = words.join('')
  const has = (one: string) =>
    words.every((word) => one.includes(word)) || one.replaceAll('-', '').includes(inOne)
  return candidates.filter(has).sort()
}
