import {
  advise,
  at,
  atMost,
  formatRestarts,
  formatTurnover,
  type Graph,
  hasOwnVolumes,
  isReady,
  type KubernetesObject,
  type Live,
  lastEnd,
  namespaceNamed,
  podsBeside,
  presentPods,
  recreates,
  rule,
  type Service,
  troubles,
  type Workload,
} from '../src/rule.js'

/** In milliseconds. */
const day = 86_400_000

export default rule({
  title: 'A Service depends on a single pod',
  category: 'workload-lifecycle',
  severity: 'warning',
  countsPods: true,
  why: `A node drain, an upgrade, an eviction or a crash takes the only pod, and the Service has no endpoint
until a new one is scheduled, pulled, started and ready. Cluster upgrades do that to every node, one after
the other.`,
  remedy: 'Run at least two replicas, if the application can share its work.',
  decides: `A workload with replicas behind a Service that something outside calls (an Ingress or route, or
type LoadBalancer or NodePort), whose fewest pods (the autoscaler's minimum, else \`replicas\`, else 1; the
most that a kustomization nearby makes of it) are below \`minReplicas\`. With \`internal\`, Services inside
the cluster count, too.

A warning in a cluster. In manifests one pod is often meant to be enough: an info, and a warning only where they show that it is
not. That is where the Ingress or route leads to another workload with that many pods, too, or where \`replicas\` asks for more
than the autoscaler may leave. Other workloads nearby say nothing: beside its workers a hub or a dashboard runs once.

In a cluster the restarts of the only pod during the last day stand below the finding, or what is wrong with it now;
evictions, and pods that were made without a rollout.

Exempt: workloads with persistent volumes or the strategy Recreate (they can't run twice; named as an info where the
rule is asked for), those scaled to zero on purpose (\`replicas: 0\`, KEDA, an autoscaler with minimum 0), those
whose Service leads to another workload of their folder as well, as a canary beside its stable version, those that leave the number to kustomize overlays, and namespaces of development or previews.`,
  falsePositives: 'Demonstrations, and applications that must run once: suppress with that reason.',
  sources: [
    'kubernetes/pkg/apis/apps/v1/defaults.go (replicas 1)',
    'kubernetes/pkg/apis/autoscaling/v2/defaults.go (minReplicas 1)',
    'KEDA documentation, ScaledObject (minReplicaCount 0)',
  ],
  stories: ['google-how-not-to', 'dfds-image-pull-qps', 'gke-upgrade-two-replicas', 'kalc-hpa-replicas'],
  params: {
    minReplicas: { type: 'integer', minimum: 2, default: 2, about: 'Pods that a Service needs.' },
    internal: {
      type: 'boolean',
      default: false,
      asked: true,
      about: 'Look at Services that only the cluster itself calls, too.',
    },
    quietNamespaces: {
      type: 'array',
      items: { type: 'string' },
      default: ['dev', 'development', 'preview', 'test', 'sandbox'],
      about: 'Parts of namespace names (between hyphens) where one pod is fine.',
    },
  },
  for: 'Workload',
  check(workload, { graph, params, report }) {
    const fewest = graph.fewestPods(workload)
    if (!fewest || fewest.pods === 0 || fewest.pods >= params.minReplicas) return
    if (namespaceNamed(workload.namespace, params.quietNamespaces)) return
    const own = fewest.of === workload.object
    if (own && isLeftToOverlays(workload, graph)) return
    const service = graph.servicesOf(workload).find((one) => params.internal || graph.entranceOf(one))
    if (!service || fewest.pods + podsBeside(workload, service, graph) >= params.minReplicas) return
    const once = runsOnce(workload)
    const entrance = graph.entranceOf(service)
    const replicated = entrance && replicatedBehind(entrance.of, workload, params.minReplicas, graph)
    const written = workload.scale?.replicas ?? 1
    const isMeant = graph.live || replicated || (!own && written >= params.minReplicas)
    const isAlone = fewest.pods === 1
    const harm = isAlone
      ? harmOfLoss(workload, own ? undefined : fewest.of, graph)
      : `has ${fewest.pods} pods of ${workload.kind} ${workload.name} behind it, fewer than the ${params.minReplicas} that are asked for`
    report(
      own ? fewest.node : workload.object,
      own ? fewest.field : undefined,
      `${entranceTo(service, graph)} ${harm}.`,
      {
        severity: !once && isMeant ? 'warning' : 'info',
        recommended: !once,
        evidence: graph.live && isAlone ? outagesOf(workload, graph.live.seen) : [],
        often: isAlone ? formatTurnover(workload, graph, ['evictions', 'made']) : [],
        see: [
          entrance ? at(entrance.of, entrance.node, entrance.field) : at(service, service),
          own ? undefined : at(fewest.of, fewest.node, fewest.field, 'the fewest pods'),
          graph.live ? undefined : replicated?.see,
        ],
        fix: advise(
          `${fewest.field}: ${params.minReplicas}${own ? ifShared : ` on ${graph.describe(fewest.of)}`}`,
        ),
      },
    )
  },
})

/** What is down with the Service: the Ingress or route in front of it, unless that leads to others as well. */
function entranceTo(service: Service, graph: Graph): string {
  const entrance = graph.entranceOf(service)
  if (!entrance) return graph.describe(service)
  const hasOthers =
    entrance.of !== service && graph.backendsNamedBy(entrance.of).some((one) => one.service !== service)
  return hasOthers ? `${graph.describe(service)} behind ${entrance.by}` : entrance.by
}

/** Nobody sees in a manifest whether the application can. */
const ifShared = ', if the application can share its work'

/** Whether it is in a base that leaves the number open. */
function isLeftToOverlays({ scale, object }: Workload, graph: Graph): boolean {
  return scale?.replicas === undefined && !graph.complete && graph.kustomized(object)
}

/**
 * What becomes of a Service when the only pod goes.
 * @param scaler what may have left no other
 */
function harmOfLoss(workload: Workload, scaler: KubernetesObject | undefined, graph: Graph): string {
  const whole = `${workload.kind} ${workload.name}`
  return scaler && (workload.scale?.replicas ?? 1) > 1
    ? `is down whenever the only pod goes that ${graph.describe(scaler)} may leave of ${whole}, at a drain or crash`
    : `is down whenever ${whole} loses its only pod: at a drain or upgrade of its node, or a crash`
}

/**
 * What is wrong with the only pod now; or how its containers ended during the last day, each
 * time with nothing beside it.
 */
function outagesOf(workload: Workload, live: Live): string[] {
  const pods = presentPods(workload, live)
  if (pods.length > 0 && !pods.some(isReady)) return troubles(pods, live).map((line) => `down now: ${line}`)
  // An autoscaler or a rollout has made more of them.
  if (pods.length !== 1) return []
  const [pod] = pods
  const ends = (pod?.status?.containerStatuses ?? []).flatMap((state) => {
    const end = lastEnd(state)
    return !pod || !end || !state.restartCount || live.now - end.endedAt > day
      ? []
      : [formatRestarts(pod, state, live)]
  })
  return atMost(2, ends)
}

/** The pods of another workload that the same entrance leads to and that has enough of them: its author wants replicas. */
function replicatedBehind(entrance: object, workload: Workload, minReplicas: number, graph: Graph) {
  const found = graph
    .backendsNamedBy(entrance)
    .flatMap((backend) => (backend.service ? graph.backendsOf(backend.service) : []))
    .filter((one) => one !== workload && !one.controlled)
    .map((one) => graph.fewestPods(one))
    .find((one) => one && one.pods >= minReplicas)
  return found && { see: at(found.of, found.node, found.field, `${found.pods} pods`) }
}

/** Whether a second pod would be in the way of the first: it shares a volume, or is told to wait for its end. */
function runsOnce(workload: Workload): boolean {
  const volumes = workload.pod.volumes ?? []
  return (
    hasOwnVolumes(workload) ||
    recreates(workload) ||
    volumes.some((volume) => volume.persistentVolumeClaim || volume.ephemeral)
  )
}
