/** Puts findings together that read the same, for people. */
import { type Finding, formatSubject, rankOf, type Subject } from '../finding.js'

/** A finding and those that would read the same but for their place. */
export interface Gathered {
  readonly first: Finding
  /** Others in files, or in the same live object. */
  readonly places: Finding[]
  /** Other live objects, and others that were built from the same line. */
  readonly objects: Subject[]
  /** The clusters that have all of this, where there are several. */
  readonly clusters: readonly string[]
}

/**
 * Groups in the order of their first findings. Equal findings belong together, whatever the names of their objects, and so
 * do clusters in which the same is found. In files another half has to be the same, too, or to stand at the same place of a
 * copy; and what is wrong with a file, not with an object, is shown by its own lines alone.
 */
export function gather(findings: readonly Finding[]): Gathered[] {
  const groups = new Map<unknown, Gathered>()
  for (const [finding, clusters] of across(findings)) {
    const { subject, place } = finding
    const key = `${clusters.length > 0 ? JSON.stringify(clusters) : ''} ${text(finding)} ${subject ? '' : place.file}`
    const group = groups.get(key)
    if (!group) groups.set(key, { first: finding, places: [], objects: [], clusters })
    else if (isInPlaces(finding, group.first)) group.places.push(finding)
    // Findings come sorted by object.
    else if (subject && !isSame(group.objects.at(-1), subject)) group.objects.push(subject)
  }
  return [...groups.values()]
}

/** Each finding of an object once, with the clusters that have it. */
function across(findings: readonly Finding[]): Iterable<readonly [Finding, readonly string[]]> {
  const sites = new Map<unknown, [Finding, string[]]>()
  for (const finding of findings) {
    const { cluster, place } = finding
    const key = cluster === undefined ? finding : JSON.stringify([place.file, place.path, text(finding)])
    const site = sites.get(key)
    if (!site) sites.set(key, [finding, cluster === undefined ? [] : [cluster]])
    else if (cluster !== undefined && !site[1].includes(cluster)) site[1].push(cluster)
  }
  return sites.values()
}

/** Whether its place tells it from the first one. */
function isInPlaces({ place, subject }: Finding, first: Finding): boolean {
  if (place.live) return first.place.file === place.file
  const { file, line, column } = first.place
  const isThere = file === place.file && line === place.line && column === place.column && !place.built
  return !isThere || !subject || isSame(first.subject, subject)
}

function isSame(a: Subject | undefined, b: Subject): boolean {
  return a?.kind === b.kind && a.namespace === b.namespace && a.name === b.name
}

/** All that is shown of a finding but for its place and the names of its object: a related place is shown once for all. */
function text({ rule, severity, message, label, related, fix, suppressed, subject, place }: Finding): string {
  const others = related.map(({ live, file, path, line, column, object, note }) => [
    live || file !== place.file ? file : '',
    ...(live ? [path] : [line, column]),
    object,
    note,
  ])
  // What was seen of each live object is its own: ages, counts, messages.
  const all = JSON.stringify([message, label, fix?.title, others])
  const reason = suppressed ? JSON.stringify(suppressed.reason) : ''
  return `${rule} ${severity} ${reason} ${subject ? nameless(all, subject) : all}`
}

/** The text with marks in the place of an object's name and namespace, as whole words. */
function nameless(text: string, { name, namespace }: Subject): string {
  return replaced(replaced(text, name, '<name>'), namespace, '<namespace>')
}

function replaced(text: string, word: string, mark: string): string {
  if (word === '') return text
  const [first = '', ...parts] = text.split(word)
  return parts.reduce((done, part) => {
    const isWhole = !/[\w.-]/.test(done.at(-1) ?? '') && !/^(?:[\w-]|\.\w)/.test(part)
    return `${done}${isWhole ? mark : word}${part}`
  }, first)
}

/**
 * Files, or live objects, with errors before those with warnings, of equal ones those where something was seen to happen first, and
 * so in each of them: people read from the top. Of equal live objects those come first that a whole cluster depends on. Of equal
 * findings of a file the lines decide.
 */
export function gravestFirst(findings: readonly Finding[]): readonly Finding[] {
  const graveness = (one: Finding) =>
    rankOf(one.severity) + (one.evidence && one.evidence.length > 0 ? 0 : 0.5) + reach(one)
  const worst = new Map<string, number>()
  for (const one of findings) {
    const { file } = one.place
    worst.set(file, Math.min(graveness(one), worst.get(file) ?? Number.POSITIVE_INFINITY))
  }
  const rank = new Map([...worst].sort(([, a], [, b]) => a - b).map(([file], i) => [file, i]))
  const of = ({ place }: Finding) => rank.get(place.file) ?? 0
  return [...findings].sort((a, b) => of(a) - of(b) || graveness(a) - graveness(b))
}

/** Less for what a whole cluster depends on: objects in no namespace, and those of kube-system. */
function reach({ place, subject }: Finding): number {
  if (!place.live || !subject || subject.namespace === '') return 0
  return subject.namespace === 'kube-system' ? 0.1 : 0.2
}

/** A file; of a live object its name. */
export function titleOf({ place, subject }: Finding): string {
  return place.live && subject ? formatSubject(subject) : place.file
}
