/** Which workloads a selector means: those whose pods it matches, as far as they belong together with its object. */
import type { LabelSelector } from '../kubernetes.js'
import { push } from '../values/group.js'
import { lazy, memo } from '../values/lazy.js'
import { type Labels, matchesSelector, selectsAll, writtenOver } from '../values/selector.js'
import { type Belonging, foldersInReach, isChosen } from './belonging.js'
import type { Objects } from './objects.js'
import { distance, type Resource } from './resource.js'
import type { Workload } from './workload.js'

/** The questions about workloads and the labels of their pods. */
export interface Selection {
  /** The workloads that have the labels, pass the test and belong together with `near`. */
  matching(labels: Labels, test: (workload: Workload) => boolean, near: Resource): readonly Workload[]
  /** The workloads that the selector matches and that belong together with `near`. No selector matches none. */
  selected(selector: LabelSelector | undefined, near: Resource): readonly Workload[]
  /** The workloads of the same namespace; without one, of near folders. Some may belong to a variant. */
  nearby(near: Resource): readonly Workload[]
}

const noLabels: Labels = {}

/** The workloads in a namespace or folder. */
interface Scope {
  readonly all: Workload[]
  /** By the keys of their labels, and by their values. */
  readonly byLabel: Map<string, Map<string, Workload[]>>
}

/** Answers the questions about workloads and the labels of their pods. */
export function selection({ resource, workloads }: Objects, { together }: Belonging): Selection {
  const scopesOfFolders = memo((folders: readonly string[]) =>
    foldersInReach(folders).map((path) => `f ${path}`),
  )
  const scopesOfNamespace = memo((namespace: string) => [`n ${namespace}`])
  /** Where to look for what may belong together with an object: in its namespace; without one, in near folders. One list for each. */
  const scopesOf = ({ namespace, folders }: Resource): readonly string[] =>
    namespace !== '' ? scopesOfNamespace(namespace) : scopesOfFolders(folders)
  const byScope = lazy(() => workloadsByScope(workloads, (workload) => scopesOf(resource(workload))))
  const within = memo((scopes: readonly string[]) => [
    ...new Set(scopes.flatMap((scope) => byScope().get(scope)?.all ?? [])),
  ])

  const matching: Selection['matching'] = (labels, test, near) => {
    const found = new Set<Workload>()
    for (const name of scopesOf(near)) {
      const scope = byScope().get(name)
      for (const workload of scope ? rarest(scope, labels) : [])
        if (test(workload) && together(resource(workload), near)) found.add(workload)
    }
    if (isChosen(near.namespace) || found.size < 2) return [...found]
    return nextDoor([...found], (workload) => distance(resource(workload).folders, near.folders))
  }
  return {
    matching,
    selected: (selector, near) => {
      if (!selector) return []
      const labels = selector.matchLabels ?? noLabels
      const having = (one: LabelSelector) =>
        matching(one.matchLabels ?? noLabels, (workload) => matchesSelector(one, workload.labels), near)
      const written = having(selector)
      // Kustomizations write their labels over those of selectors.
      const built = written.length === 0 ? writtenOver(labels, near.selectorLabels) : undefined
      const found = built ? having({ ...selector, matchLabels: built }) : written
      // Who means all pods of the namespace says nothing of applications that stand next to his.
      return selectsAll(selector) && !isChosen(near.namespace)
        ? found.filter((workload) => distance(resource(workload).folders, near.folders) <= nextDoorAt)
        : found
    },
    nearby: (near) => within(scopesOf(near)),
  }
}

/** The other way round: for each workload the objects that mean it, in an order such as the nearest file first. */
export function byWorkload<T extends object>(
  objects: readonly T[],
  workloadsOf: (one: T) => readonly Workload[],
  orderFor: (workload: Workload) => (a: T, b: T) => number,
): ReadonlyMap<Workload, readonly T[]> {
  const index = new Map<Workload, T[]>()
  for (const one of objects) for (const workload of workloadsOf(one)) push(index, workload, one)
  for (const [workload, found] of index) found.sort(orderFor(workload))
  return index
}

function workloadsByScope(
  workloads: readonly Workload[],
  scopesOf: (workload: Workload) => readonly string[],
): ReadonlyMap<string, Scope> {
  const index = new Map<string, Scope>()
  for (const workload of workloads)
    for (const name of scopesOf(workload)) {
      const scope = index.get(name) ?? { all: [], byLabel: new Map<string, Map<string, Workload[]>>() }
      if (scope.all.length === 0) index.set(name, scope)
      scope.all.push(workload)
      addLabels(scope, workload)
    }
  return index
}

function addLabels({ byLabel }: Scope, workload: Workload): void {
  const { labels } = workload
  for (const key in labels) {
    const byValue = byLabel.get(key) ?? new Map<string, Workload[]>()
    if (byValue.size === 0) byLabel.set(key, byValue)
    push(byValue, labels[key] as string, workload)
  }
}

/** The workloads with the one of the labels that the fewest have: all that have every label are among them. */
function rarest({ all, byLabel }: Scope, labels: Labels): readonly Workload[] {
  let fewest: readonly Workload[] = all
  for (const key in labels) {
    const list = byLabel.get(key)?.get(labels[key] as string) ?? []
    if (list.length < fewest.length) fewest = list
  }
  return fewest
}

/** Folder changes to what stands next door: in a folder below or above. */
const nextDoorAt = 1

/** Without a namespace a match next door makes matches further away somebody else's: folders of examples. */
function nextDoor(found: readonly Workload[], far: (workload: Workload) => number): readonly Workload[] {
  const most = Math.max(nextDoorAt, Math.min(...found.map(far)))
  return found.filter((workload) => far(workload) <= most)
}
