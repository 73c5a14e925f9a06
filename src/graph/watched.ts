/** A graph that tells what is asked of it, for a cluster of which a part was not read. */
import type { KindName } from '../kubernetes.js'
import type { Graph } from './graph.js'
import type { Live } from './live.js'

/** A graph that takes down which kinds its answers rest on. */
export interface Watched {
  readonly graph: Graph
  /** The kinds that answers since the last call rest on, and of which objects may be missing. */
  asked(): readonly KindName[]
}

const routes: readonly KindName[] = [
  'Ingress',
  'gateway.networking.k8s.io/HTTPRoute',
  'gateway.networking.k8s.io/GRPCRoute',
  'gateway.networking.k8s.io/TCPRoute',
  'gateway.networking.k8s.io/TLSRoute',
  'networking.istio.io/VirtualService',
  'projectcontour.io/HTTPProxy',
  'route.openshift.io/Route',
  'traefik.io/IngressRoute',
]
/** What answers about workloads rest on. */
export const workloadKinds: readonly KindName[] = [
  'Pod',
  'Deployment',
  'StatefulSet',
  'DaemonSet',
  'ReplicaSet',
  'ReplicationController',
  'Job',
  'CronJob',
  'argoproj.io/Rollout',
]
const scalers: readonly KindName[] = [
  'HorizontalPodAutoscaler',
  'keda.sh/ScaledObject',
  'http.keda.sh/HTTPScaledObject',
]

/** What of a cluster is missing in its graph. */
export interface Gaps {
  /** Kinds of which no object is known. */
  readonly unreadKinds: ReadonlySet<KindName>
  /** Kinds of which only the objects of one namespace are known. */
  readonly partialKinds: ReadonlySet<KindName>
  /** That namespace. */
  readonly namespace: string | undefined
}

/**
 * The same graph, watched: an answer that rests on what was not read may be wrong, and whoever asks can tell.
 * Questions about all namespaces (`all`, `objects`, `workloads`) and those about another one rest on partial kinds,
 * too; those about what belongs together with an object do not. Of unread kinds every object is taken to exist.
 */
export function watched(graph: Graph, gaps: Gaps): Watched {
  const { unreadKinds: unread, partialKinds: partial, namespace: own } = gaps
  let noted = new Set<KindName>()
  const notes = notesOf(gaps, (kind) => noted.add(kind))
  const { note, noteAll, noteIn, noting } = notes
  const once = new Map<string, { readonly value: unknown; readonly kinds: readonly KindName[] }>()
  return {
    asked: () => {
      const kinds = [...noted]
      noted = new Set()
      return kinds
    },
    graph: {
      ...graph,
      live: graph.live && watchedLive(graph.live, notes),
      get objects() {
        noteAll(...workloadKinds)
        return graph.objects
      },
      get workloads() {
        noteAll(...workloadKinds)
        return graph.workloads
      },
      workloadsIn: (namespace) => {
        noteIn(namespace, ...workloadKinds)
        return graph.workloadsIn(namespace)
      },
      all: (kind) => {
        noteAll(kind)
        return graph.all(kind)
      },
      allIn: (kind, namespace) => {
        noteIn(namespace, kind)
        return graph.allIn(kind, namespace)
      },
      find: (kind, name, near, namespace) => {
        noteIn(kind === 'Namespace' ? name : (namespace ?? own), kind)
        return graph.find(kind, name, near, namespace)
      },
      namespacesCalled: (name) => {
        noteIn(name, 'Namespace')
        return graph.namespacesCalled(name)
      },
      siblings: (kind, near) => {
        note(kind)
        return graph.siblings(kind, near)
      },
      namesNear: (kind, near) => {
        note(kind)
        return graph.namesNear(kind, near)
      },
      hasRead: (kind, namespace) =>
        !unread.has(kind) && (!partial.has(kind) || (namespace !== undefined && namespace === own)),
      exists: (kind, name, near, namespace) => unread.has(kind) || graph.exists(kind, name, near, namespace),
      isFilledElsewhere: (kind, name) => unread.has(kind) || graph.isFilledElsewhere(kind, name),
      nearby: noting(workloadKinds, graph.nearby),
      matching: noting(workloadKinds, graph.matching),
      backendsOf: noting(workloadKinds, graph.backendsOf),
      guardedBy: noting(workloadKinds, graph.guardedBy),
      targetOf: noting(workloadKinds, graph.targetOf),
      servicesOf: noting(['Service'], graph.servicesOf),
      backendsNamedBy: noting(['Service'], graph.backendsNamedBy),
      routesTo: noting(routes, graph.routesTo),
      entranceOf: noting(routes, graph.entranceOf),
      autoscalerOf: noting(scalers, graph.autoscalerOf),
      scaledObjectOf: noting(scalers, graph.scaledObjectOf),
      fewestPods: noting(scalers, graph.fewestPods),
      isSwitchedOff: noting(scalers, graph.isSwitchedOff),
      budgetsOf: noting(['PodDisruptionBudget'], graph.budgetsOf),
      policiesOf: noting(['NetworkPolicy'], graph.policiesOf),
      once: <T>(key: string, compute: () => T): T => {
        let known = once.get(key)
        if (!known) {
          const before = noted
          noted = new Set()
          const value = graph.once(key, compute)
          known = { value, kinds: [...noted] }
          noted = before
          once.set(key, known)
        }
        noteAll(...known.kinds)
        return known.value as T
      },
    },
  }
}

/** Takes down kinds on which an answer rests, of those of which objects may be missing. */
interface Notes {
  /** For answers about what belongs together with an object. */
  note(...kinds: readonly KindName[]): void
  /** For answers about all namespaces. */
  noteAll(...kinds: readonly KindName[]): void
  /** For answers about one namespace. */
  noteIn(namespace: string | undefined, ...kinds: readonly KindName[]): void
  /** The same function, after a `note` of the kinds that its answers rest on. */
  noting<A extends readonly unknown[], R>(
    kinds: readonly KindName[],
    ask: (...args: A) => R,
  ): (...args: A) => R
}

function notesOf({ unreadKinds, partialKinds, namespace: own }: Gaps, take: (kind: KindName) => void): Notes {
  const note: Notes['note'] = (...kinds) => {
    for (const kind of kinds) if (unreadKinds.has(kind)) take(kind)
  }
  const noteAll: Notes['noteAll'] = (...kinds) => {
    for (const kind of kinds) if (unreadKinds.has(kind) || partialKinds.has(kind)) take(kind)
  }
  return {
    note,
    noteAll,
    noteIn: (namespace, ...kinds) => {
      if (namespace !== undefined && namespace === own) note(...kinds)
      else noteAll(...kinds)
    },
    noting:
      (kinds, ask) =>
      (...args) => {
        note(...kinds)
        return ask(...args)
      },
  }
}

/** The state of a cluster, in which what workloads made may be missing. */
function watchedLive(live: Live, { note, noteAll, noteIn, noting }: Notes): Live {
  const made: readonly KindName[] = ['Pod', 'ReplicaSet', 'Job']
  return {
    now: live.now,
    waitFor: live.waitFor,
    get pods() {
      noteAll('Pod')
      return live.pods
    },
    podsIn: (namespace) => {
      noteIn(namespace, 'Pod')
      return live.podsIn(namespace)
    },
    get events() {
      // An event of another namespace takes nothing from those that are there.
      note('Event')
      return live.events
    },
    podsOf: noting(made, live.podsOf),
    troubledPodsOf: noting(made, live.troubledPodsOf),
    jobsOf: noting(['Job'], live.jobsOf),
    replicaSetsOf: noting(['ReplicaSet'], live.replicaSetsOf),
    subjectOf: noting(made, live.subjectOf),
    slicesOf: noting(['EndpointSlice'], live.slicesOf),
    // Events are evidence when they are there, and nothing follows from their absence.
    eventsOf: live.eventsOf,
    probeKillsOf: live.probeKillsOf,
    // So is what pods use. Rules that have nothing else to go by name it in `reads`.
    usageOf: live.usageOf,
    samplesOf: live.samplesOf,
    countOf: live.countOf,
    seen: live,
  }
}
