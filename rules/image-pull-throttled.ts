import {
  type Configuration,
  type Context,
  configurationsIn,
  countOf,
  firstOf,
  type Graph,
  imageParts,
  isKind,
  isWorkload,
  type Live,
  numberAt,
  type ObjectOf,
  pulledWithout,
  push,
  rule,
  throttledBy,
  timeOf,
  times,
  type Workload,
  waitingForImages,
} from '../src/rule.js'

type Event = NonNullable<Graph['live']>['events'][number]

export default rule({
  title: 'Image pulls are refused when many pods start at once',
  category: 'images',
  severity: 'warning',
  why: `The kubelet lets \`registryPullQPS\` pulls a second pass, and a burst before that; what is more fails
with "pull QPS exceeded" and backs off for up to five minutes. Registries count, too: Docker Hub refuses
pulls without a login from one address for hours. Both happen when nodes are replaced and all their pods move, and
what has a single replica is away meanwhile.`,
  remedy:
    'Raise `registryPullQPS` and `registryBurst`, bound the pulls with `maxParallelImagePulls`, and pull from a mirror of your own.',
  decides: `A KubeletConfiguration (a file, or inside a ConfigMap) that pulls images in parallel
(\`serializeImagePulls: false\` or \`maxParallelImagePulls\`) with \`registryPullQPS\` below \`minQps\`; 5
when it is absent, no limit with 0. One image at a time comes near the limit only with \`imagePullPolicy:
Always\` and images that the node has: nodes of more than 50 pods (\`maxPods\`, 110 when it is absent) are
reported as an info where the rule is asked for.

In a cluster: events that say so. Refused by kubelets, reported on the first of their nodes; refused by a
registry ("toomanyrequests", 429), on the first workload that waits for it. An error while pods wait. A pull secret
that the kubelet does not find stands below: such pulls count as those of anybody at the address.`,
  versions: 'Parallel pulls can be bounded from 1.27 on (`maxParallelImagePulls`).',
  sources: [
    'kubernetes/pkg/kubelet/images/helpers.go (throttleImagePulling)',
    'kubernetes/pkg/kubelet/apis/config/v1beta1/defaults.go',
  ],
  stories: ['dfds-image-pull-qps', 'loveholidays-gke-upgrade'],
  params: {
    minQps: { type: 'integer', minimum: 1, default: 10, about: 'Pulls a second that are enough.' },
  },
  for: ['kubelet.config.k8s.io/KubeletConfiguration', 'ConfigMap', 'Node', 'Workload'],
  check(subject, { graph, params, report }) {
    if (!isWorkload(subject) && !isKind(subject, 'Node')) {
      for (const one of configurationsIn(subject, 'kubelet.config.k8s.io/KubeletConfiguration'))
        reportLimit(one, params.minQps, report)
      return
    }
    const { live } = graph
    if (!live) return
    const { byKubelets, byRegistries } = graph.once('refused pulls', () => refusalsIn(graph))
    if (isKind(subject, 'Node')) reportKubelets(subject, byKubelets, report)
    else
      for (const [registry, refusal] of byRegistries) reportRegistry(subject, registry, refusal, live, report)
  },
})

type Report = Context<Record<never, never>>['report']

/** One finding for all kubelets that refuse pulls, on the node with the most of them. */
function reportKubelets(node: ObjectOf<'Node'>, byKubelets: Refusals['byKubelets'], report: Report): void {
  const [first] = byKubelets.keys()
  if (first === undefined || first !== node.metadata?.name) return
  const all = [...byKubelets.values()].flat()
  const on = byKubelets.size === 1 ? 'of this node' : `of ${byKubelets.size} nodes`
  report(
    node,
    undefined,
    `Pods wait for images that the kubelet ${on} refuses to pull: more than registryPullQPS at once, ${times(totalOf(all))} in the events.`,
    {
      evidence: [
        ...(byKubelets.size > 1 ? [firstOf([...byKubelets.keys()])] : []),
        `pods: ${firstOf(podsIn(all))}`,
      ],
    },
  )
}

/** One finding for a registry, on the first workload that waits for it, or else has waited. */
function reportRegistry(
  subject: Workload,
  registry: string,
  { workloads, events }: Refusal,
  live: Live,
  report: Report,
): void {
  const waiting = workloads.filter((one) => waitingForImages(live.troubledPodsOf(one)).length > 0)
  const isWaiting = waiting.length > 0
  const affected = isWaiting ? waiting : workloads
  if (affected[0] !== subject) return
  const who = affected.length === 1 ? subject.name : `${affected.length} workloads`
  const container = subject.containers.find(({ image }) => registryOf(image) === registry)
  report(
    container?.spec ?? subject.object,
    container ? 'image' : undefined,
    `Pods of ${who} ${isWaiting ? 'wait' : 'waited'} for images: ${registry} refuses to serve so many pulls.`,
    {
      severity: isWaiting ? 'error' : 'warning',
      evidence: [
        `${times(totalOf(events))}: ${events[0]?.message ?? ''}`,
        ...(workloads.length > 1 ? [firstOf(workloads.map(nameOf))] : []),
        ...pulledWithout(
          affected.flatMap((one) => live.podsOf(one)),
          live,
        ),
      ],
    },
  )
}

function reportLimit({ value, place }: Configuration, minQps: number, report: Report): void {
  const parallel = numberAt(value, 'maxParallelImagePulls')
  const isParallel = value.serializeImagePulls === false || (parallel ?? 0) > 1
  const written = numberAt(value, 'registryPullQPS')
  const qps = written ?? 5
  if (qps <= 0 || qps >= minQps || (!isParallel && (numberAt(value, 'maxPods') ?? 110) <= 50)) return
  const by = `no more than ${qps} a second${written === undefined ? ' by default' : ''}`
  report(
    ...place(
      value,
      written === undefined ? (isParallel ? 'serializeImagePulls' : undefined) : 'registryPullQPS',
    ),
    isParallel
      ? `Pulls fail when many pods move to a node: they go in parallel, and ${by}.`
      : `Pulls may fail when many pods move to a node: ${by}, and with imagePullPolicy Always those of images that it has count, too.`,
    isParallel ? {} : { severity: 'info', recommended: false },
  )
}

interface Refusals {
  /** The events by the name of the node, the most first. */
  readonly byKubelets: ReadonlyMap<string, readonly Event[]>
  readonly byRegistries: ReadonlyMap<string, Refusal>
}

/** What a registry has refused: to whom, and the events, the newest first. */
interface Refusal {
  readonly workloads: readonly Workload[]
  readonly events: readonly Event[]
}

/** The events of the last hour about pulls that somebody refused for their number. */
function refusalsIn(graph: Graph): Refusals {
  const byKubelets = new Map<string, Event[]>()
  const refused = new Set<Event>()
  for (const event of graph.live?.events ?? []) {
    const { reason, message = '', source } = event
    if (reason !== 'Failed' || !message.startsWith('Failed to pull image')) continue
    const by = throttledBy(message)
    if (by === 'registry') refused.add(event)
    if (by === 'kubelet') push(byKubelets, source?.host ?? '', event)
  }
  return {
    byKubelets: new Map([...byKubelets].sort(([, a], [, b]) => b.length - a.length)),
    byRegistries: refused.size > 0 ? refusalsOfRegistries(refused, graph) : new Map(),
  }
}

function refusalsOfRegistries(refused: ReadonlySet<Event>, graph: Graph): Refusals['byRegistries'] {
  const found = new Map<string, { workloads: Workload[]; events: Event[] }>()
  for (const object of graph.seenObjects) {
    const workload = graph.workload(object)
    if (!workload || workload.controlled) continue
    for (const event of graph.live?.eventsOf(workload) ?? []) {
      if (!refused.has(event)) continue
      const registry = registryOf(/^Failed to pull image "([^"]+)"/.exec(event.message ?? '')?.[1])
      const known = found.get(registry) ?? { workloads: [], events: [] }
      if (!known.workloads.includes(workload)) known.workloads.push(workload)
      known.events.push(event)
      found.set(registry, known)
    }
  }
  for (const { events } of found.values()) events.sort((a, b) => timeOf(b) - timeOf(a))
  return found
}

const registryOf = (image: string | undefined) => (image === undefined ? '' : imageParts(image).registry)
const nameOf = ({ namespace, name }: Workload) => `${namespace}/${name}`
const podsIn = (events: readonly Event[]) =>
  [...new Set(events.map(({ involvedObject }) => involvedObject?.name ?? ''))].sort()

/** How often the events were seen. */
function totalOf(events: readonly Event[]): number {
  return events.reduce((sum, event) => sum + countOf(event), 0)
}
