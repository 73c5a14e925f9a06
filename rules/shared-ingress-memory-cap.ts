import {
  at,
  atMost,
  bytes,
  type Container,
  defaultsIn,
  type Fault,
  formatBytes,
  formatMemoryKill,
  type Graph,
  grouped,
  imageNamed,
  ingressControllers,
  type Live,
  memoryKillsOf,
  placeOfCount,
  podsNearLimit,
  quantityPattern,
  rule,
  set,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'The ingress that all share has little memory',
  category: 'resources',
  severity: 'warning',
  why: `A proxy holds every request that waits for a backend. When one backend becomes slow its requests
pile up in all replicas of the ingress alike, and with a limit near normal use all are killed within
seconds of each other: one slow application takes all others off the network. The first to come back gets
the load of all and is killed again.`,
  remedy:
    'Give it several times the memory of a normal day, and bound the requests that wait for one backend.',
  decides: `An ingress controller by its image whose container has a memory limit below \`minMemory\`, or none of
its own where a LimitRange of the namespace gives it one below that. An error in a cluster in which pods of it have
been killed for memory; a warning, whatever the limit, in one whose metrics API tells that a pod uses more than 80 % of
it now. Clusters, and complete inputs, with fewer than \`minIngresses\` Ingresses are left alone
unless that has happened. Where the rule is asked for, an info for a controller of fewer than three pods and more
than \`maxIngresses\` Ingresses.`,
  falsePositives: 'An ingress of a single small application.',
  sources: [
    'kubernetes/pkg/apis/core/v1/defaults.go (LimitRange)',
    'Documentation of the ingress controllers (buffers and queues)',
  ],
  stories: ['zalando-skipper-oom', 'dfds-limitrange-502', 'zalando-cronjob-apiserver'],
  params: {
    minMemory: {
      type: 'string',
      pattern: quantityPattern,
      default: '1Gi',
      about: 'A memory limit that is enough.',
    },
    maxIngresses: {
      type: 'integer',
      minimum: 0,
      default: 50,
      about: 'Ingresses that a controller with fewer than three pods may serve, where the rule is asked for.',
    },
    minIngresses: { type: 'integer', minimum: 0, default: 10, about: 'Ingresses from which it is shared.' },
    images: {
      type: 'array',
      items: { type: 'string' },
      default: ['skipper', ...ingressControllers],
      about: 'Parts of image names of ingress controllers.',
    },
  },
  for: 'Workload',
  check(workload, { graph, params, report }) {
    const container = workload.running.find(({ image }) => imageNamed(image, params.images))
    if (!container || workload.batch) return
    const limit = limitOf(container, workload, graph)
    const enough = bytes(params.minMemory) ?? 0
    const routes = graph.all('Ingress').length
    const isShared = !graph.complete || routes >= params.minIngresses
    const near =
      limit && graph.live && (isShared || limit.size < enough)
        ? podsNearLimit(container, { limit: limit.size, share: usualShare }, workload, graph.live)
        : []
    if (!limit || (limit.size >= enough && near.length === 0)) {
      const fault = routes > params.maxIngresses ? fewPods(workload, routes, graph) : undefined
      if (fault) report(...fault)
      return
    }
    const killed = graph.live ? killedPods(workload, container, graph.live) : []
    if (killed.length === 0 && !isShared) return
    const { limits } = container.spec.resources ?? {}
    report(
      limits ?? container.spec,
      limits ? 'memory' : 'resources',
      dangerOf(workload, limit.size, killed.length, near.length),
      {
        severity: killed.length > 0 ? 'error' : 'warning',
        see: [limit.see],
        evidence: atMost(3, [...killed, ...near]),
        fix: limits && limit.size < 2 * 2 ** 30 ? set(limits, 'memory', '2Gi') : undefined,
      },
    )
  },
})

/** That a controller of one pod or two serves so many Ingresses. */
function fewPods(workload: Workload, routes: number, graph: Graph): Fault | undefined {
  const fewest = graph.fewestPods(workload)
  const pods = fewest?.pods
  if (!fewest || (pods !== 1 && pods !== 2)) return undefined
  const { name } = workload
  const place = placeOfCount(workload, fewest)
  return [
    place.node,
    place.field,
    `${grouped(routes)} Ingresses fail together when ${pods === 1 ? `the only pod of ${name} goes` : `two pods of ${name} go`}: nothing else serves them.`,
    { severity: 'info', recommended: false, see: [place.beside] },
  ]
}

/** What the limit does or can do, by the number of pods that reached it and of those near it. */
function dangerOf({ name }: Workload, limit: number, killed: number, near: number): string {
  const size = formatBytes(limit)
  if (killed > 0)
    return `The ingress of all applications is killed for memory: ${killed === 1 ? 'a pod' : `${killed} pods`} of ${name} reached the limit of ${size}.`
  if (near > 0)
    return `One slow backend can kill pods of ${name}, the ingress of all applications: ${near === 1 ? 'one uses' : `${near} use`} most of ${size} already.`
  return `One slow backend can kill all pods of ${name} at once: requests that wait fill ${size} quickly.`
}

/** The part of its limit that a proxy may use with nothing going on. */
const usualShare = 0.8

/** The memory limit that the container gets, from itself or its namespace. */
function limitOf({ spec }: Container, { object }: Workload, graph: Graph) {
  const own = bytes(spec.resources?.limits?.memory)
  if (own !== undefined) return { size: own, see: undefined }
  for (const range of graph.siblings('LimitRange', object))
    for (const item of range.spec?.limits ?? []) {
      const amounts = defaultsIn(item, 'limit', 'memory')
      const size = bytes(amounts?.memory)
      if (amounts && size !== undefined) return { size, see: at(range, amounts, 'memory') }
    }
  return undefined
}

/** A line for each pod whose container was killed for memory when it ended last. */
function killedPods(workload: Workload, { name }: Container, live: Live): string[] {
  return live
    .podsOf(workload)
    .flatMap(memoryKillsOf)
    .filter(({ container }) => container === name)
    .map((kill) => formatMemoryKill(kill, live))
    .sort()
}
