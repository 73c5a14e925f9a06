/** What only a running cluster tells: the pods that workloads made, how they are, and what was complained of. */
import {
  type Event,
  isKind,
  type Job,
  type KubernetesObject,
  type Pod,
  type ReplicaSet,
  type Service,
} from '../kubernetes.js'
import type { Sample } from '../reader/input.js'
import { groupBy, push } from '../values/group.js'
import { numberAt, objectsAt, stringAt } from '../values/untyped.js'
import { objectCounts } from './counts.js'
import { isWell } from './pod.js'
import type { Slice } from './slice.js'
import type { Workload } from './workload.js'
import { controllerOf, isWorkload } from './workload.js'

/** What a container used when the metrics API was asked: one sample of some seconds. */
interface ContainerUsage {
  readonly container: string
  /** Cores. */
  readonly cpu: number
  /** Bytes that the kernel cannot take back at once (the working set); what the kubelet ranks pods for eviction by. */
  readonly memory: number
}

/** The state of a cluster at one moment, for rules that look at it. */
export interface Live {
  /** When it was read, in milliseconds since 1970. */
  readonly now: number
  /**
   * How long something is left alone that may yet come right by itself: the seconds that a scan waits, and a minute at most where
   * somebody asks about one object, having seen that it is sick.
   */
  waitFor(seconds: number): number
  /** Every pod, those included that have ended and are still there. */
  readonly pods: readonly Pod[]
  /** Those of one namespace. */
  podsIn(namespace: string): readonly Pod[]
  /**
   * Every warning event that the API server still has (an hour of them by default), the `SuccessfulRescale` and
   * `NotTriggerScaleUp` events of autoscalers, the `Preempted` ones of schedulers and the `CIDRNotAvailable` ones of
   * nodes, the newest first.
   */
  readonly events: readonly Event[]
  /** The pods that an object made, through ReplicaSets and Jobs, too; of a Pod itself. */
  podsOf(of: Workload | KubernetesObject): readonly Pod[]
  /** Those of `podsOf` that are not simply well: few of thousands. See `isWell`. */
  troubledPodsOf(of: Workload | KubernetesObject): readonly Pod[]
  /** The Jobs that a CronJob made and that are still there; of a Job itself. */
  jobsOf(of: Workload | KubernetesObject): readonly Job[]
  /** The ReplicaSets that a Deployment made, the newest revision first. */
  replicaSetsOf(of: Workload | KubernetesObject): readonly ReplicaSet[]
  /** What an event is about, when it is still there. */
  subjectOf(event: Event): KubernetesObject | undefined
  /** The events about an object and about all that it made, the newest first. */
  eventsOf(of: Workload | KubernetesObject): readonly Event[]
  /**
   * The events in which a kubelet says of containers of an object, or of all that it made, that it kills them for their liveness probe,
   * the newest first. They are no warnings.
   */
  probeKillsOf(of: Workload | KubernetesObject): readonly Event[]
  /** The slices of a Service; undefined when no slice of any Service is known. */
  slicesOf(service: Service): readonly Slice[] | undefined
  /** What the containers of a pod use; undefined where the metrics API does not tell, which is no sign of anything. */
  usageOf(pod: Pod): readonly ContainerUsage[] | undefined
  /** The numbers of a metric that rules ask for. Which of several API servers counted them is not known. */
  samplesOf(metric: string): readonly Sample[]
  /**
   * How many objects there are of a resource, named as in roles: `events`, `orders.acme.cert-manager.io`. Of one
   * namespace where only that was read; undefined when nobody could tell, and nothing follows from that.
   */
  countOf(resource: string): number | undefined
  /**
   * The same answers as evidence alone: a finding that stands without them is not held back
   * where pods could not be read.
   */
  readonly seen: Live
}

/** What was read of a cluster besides the objects of the graph. */
export interface State {
  /** When it was read, in milliseconds since 1970. */
  readonly now: number
  /** Whether somebody asks about one object that is sick. */
  readonly isDiagnosis?: boolean
  /** The state of Pods, Jobs and ReplicaSets that workloads made and that are no objects of the graph. */
  readonly made?: readonly KubernetesObject[]
  readonly events?: readonly Event[]
  readonly samples?: readonly Sample[] | undefined
  /** Who is behind Services. */
  readonly slices?: readonly Slice[]
}

/**
 * Indexes the state of a cluster.
 * @param objects the objects of the graph, as the API server gave them
 */
export function liveState(
  objects: readonly KubernetesObject[],
  { now, isDiagnosis = false, made = [], events = [], samples = [], slices = [] }: State,
): Live {
  const all = [...objects, ...made]
  const line = lineage(all)
  const byName = groupBy(all, ({ kind, metadata }) => key(kind, metadata?.namespace, metadata?.name))
  const pods = all.filter((one) => isKind(one, 'Pod'))
  const podsByNamespace = groupBy(pods, ({ metadata }) => metadata?.namespace ?? '')
  const podsBelow = below(pods, line)
  const troubledBelow = below(
    pods.filter((pod) => !isWell(pod)),
    line,
  )
  const jobsBelow = below(
    all.filter((one) => isKind(one, 'Job')),
    line,
  )
  const setsBelow = below(
    all.filter((one) => isKind(one, 'ReplicaSet')),
    line,
  )
  const byMetric = groupBy(samples, ({ name }) => name)
  const counts = objectCounts(samples)
  const sorted = [...events].sort((a, b) => timeOf(b) - timeOf(a))
  const eventsBelow = new Map<object, Event[]>()
  const killsBelow = new Map<object, Event[]>()
  for (const event of sorted) {
    const { kind, namespace, name } = event.involvedObject ?? {}
    const about = new Set(byName.get(key(kind, namespace, name))?.flatMap(line))
    for (const one of about) push(event.reason === 'Killing' ? killsBelow : eventsBelow, one, event)
  }
  const slicesBehind = groupBy(slices, ({ namespace, service }) => key('Service', namespace, service))
  const isMeasured = made.some(({ kind }) => kind === 'PodMetrics')
  const rootOf = (of: Workload | KubernetesObject) => (isWorkload(of) ? of.object : of)
  const live: Live = {
    now,
    waitFor: (seconds) => (isDiagnosis ? Math.min(seconds, 60) : seconds),
    pods,
    podsIn: (namespace) => podsByNamespace.get(namespace) ?? [],
    events: sorted.filter(({ reason }) => reason !== 'Killing'),
    podsOf: (of) => podsBelow.get(rootOf(of)) ?? [],
    troubledPodsOf: (of) => troubledBelow.get(rootOf(of)) ?? [],
    jobsOf: (of) => jobsBelow.get(rootOf(of)) ?? [],
    replicaSetsOf: (of) =>
      [...(setsBelow.get(rootOf(of)) ?? [])].sort((a, b) => revisionOf(b) - revisionOf(a)),
    subjectOf: ({ involvedObject: { kind, namespace, name } = {} }) =>
      byName.get(key(kind, namespace, name))?.[0],
    eventsOf: (of) => eventsBelow.get(rootOf(of)) ?? [],
    probeKillsOf: (of) => killsBelow.get(rootOf(of)) ?? [],
    slicesOf: ({ metadata }) =>
      slices.length > 0
        ? (slicesBehind.get(key('Service', metadata?.namespace, metadata?.name)) ?? [])
        : undefined,
    usageOf: ({ metadata }) => {
      if (!isMeasured) return undefined
      const [measured] = byName.get(key('PodMetrics', metadata?.namespace, metadata?.name)) ?? []
      return measured && usageIn(measured)
    },
    samplesOf: (metric) => byMetric.get(metric) ?? [],
    countOf: (resource) => counts.get(resource),
    get seen() {
      return live
    },
  }
  return live
}

/** Tells the object and all that stand above it: what made it, and what made that. */
function lineage(all: readonly KubernetesObject[]): (of: KubernetesObject) => readonly KubernetesObject[] {
  const byUid = new Map<string, KubernetesObject>()
  for (const one of all) if (one.metadata?.uid) byUid.set(one.metadata.uid, one)
  const makerOf = (of: KubernetesObject) => byUid.get(controllerOf(of)?.uid ?? '')
  return (of) => {
    const found = [of]
    for (let one = makerOf(of); one && !found.includes(one); one = makerOf(one)) found.push(one)
    return found
  }
}

/** The objects by each that stands above them, and by themselves. */
function below<T extends KubernetesObject>(
  objects: readonly T[],
  line: (of: KubernetesObject) => readonly KubernetesObject[],
): ReadonlyMap<object, readonly T[]> {
  const found = new Map<object, T[]>()
  for (const one of objects) for (const above of line(one)) push(found, above, one)
  return found
}

function usageIn(measured: KubernetesObject): ContainerUsage[] {
  return objectsAt(measured, 'containers').flatMap((one) => {
    const cpu = numberAt(one, 'usage', 'cpu')
    const memory = numberAt(one, 'usage', 'memory')
    return cpu === undefined || memory === undefined
      ? []
      : [{ container: stringAt(one, 'name') ?? '', cpu, memory }]
  })
}

/** The seconds since the object was made; infinity where it does not say. */
export function ageOf({ metadata }: KubernetesObject, { now }: Pick<Live, 'now'>): number {
  const made = Date.parse(metadata?.creationTimestamp ?? '')
  return Number.isNaN(made) ? Number.POSITIVE_INFINITY : (now - made) / 1000
}

/**
 * When a Job or pod was started, or made where it has not been yet, in milliseconds since 1970;
 * 0 where it does not say.
 */
export function startOf({ status, metadata }: Job | Pod): number {
  return Date.parse(status?.startTime ?? metadata?.creationTimestamp ?? '') || 0
}

/** When an object that is being deleted was to have ended, in milliseconds since 1970; infinity for others. */
export function endOf({ metadata }: KubernetesObject): number {
  return Date.parse(metadata?.deletionTimestamp ?? '') || Number.POSITIVE_INFINITY
}

/** When an event was last seen, in milliseconds since 1970; 0 when it does not say. */
export function timeOf({ lastTimestamp, eventTime, series, firstTimestamp, metadata }: Event): number {
  const last = series?.lastObservedTime ?? lastTimestamp ?? eventTime ?? firstTimestamp
  return Date.parse(last ?? metadata?.creationTimestamp ?? '') || 0
}

/** When an event was first seen, in milliseconds since 1970; when it was last seen where it does not say. */
export function firstTimeOf(event: Event): number {
  return Date.parse(event.firstTimestamp ?? '') || timeOf(event)
}

/** How often an event was seen. */
export function countOf({ count, series }: Event): number {
  return series?.count ?? count ?? 1
}

/** Which of its Deployment's templates a ReplicaSet has, counted from 1; 0 where it does not say. */
export function revisionOf(set: ReplicaSet): number {
  return Number(set.metadata?.annotations?.['deployment.kubernetes.io/revision'] ?? 0) || 0
}

function key(kind = '', namespace = '', name = ''): string {
  return `${kind}/${namespace}/${name}`
}
