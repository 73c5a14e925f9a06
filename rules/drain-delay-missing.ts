import {
  advise,
  at,
  type Container,
  delayOfCommand,
  enumerate,
  flagOf,
  formatTurnover,
  type Graph,
  graceOf,
  groupOf,
  isAlone,
  isInjected,
  isOfOnePod,
  podsBeside,
  recreates,
  rule,
  type Service,
  set,
  type Workload,
} from '../src/rule.js'

/** Seconds after which balancers of providers have let go of a pod. */
const balancerDelay = 15

export default rule({
  title: 'Pods stop while they still receive requests',
  category: 'workload-lifecycle',
  severity: 'warning',
  why: `When a pod is deleted, two things start at the same time: the kubelet sends SIGTERM, and the
endpoint is removed from every kube-proxy, ingress controller and load balancer. The second takes seconds. A
server that closes its socket at SIGTERM refuses the requests that still arrive, at every rollout and every
node drain.`,
  remedy: 'Delay SIGTERM with a `preStop` sleep of some seconds, and leave the grace period room for it.',
  decides: `Looks at workloads whose pods receive traffic from outside: the Service that selects them is of type
LoadBalancer or NodePort, or an Ingress, Gateway route or similar leads to it. The container that owns the port (all
ordinary containers when that is not known) needs a \`preStop\` hook: \`sleep\`, a command that sleeps at least
\`minSleepSeconds\`, or an \`httpGet\` to a drain endpoint of its own. Any other command is taken to drain by
itself, except for the \`/wait-shutdown\` of ingress-nginx: it sends SIGTERM at once, and new connections are
refused from then on unless \`--shutdown-grace-period\` (default 0) delays that. A native sidecar that owns the port
gets SIGTERM only when the ordinary containers have ended: there one of these needs the delay. Where an ordinary
container is a proxy for another one beside it, such as Envoy, both need it; who sends to whom is not to be seen,
and the owner of the port alone is looked at. Asked for, the rule names delays below 15 s behind balancers of
providers, too: an info.

Exempt:

- Jobs, pods without a controller, and Services of Knative, whose proxy finishes its requests before the program gets SIGTERM;
- Deployments with the strategy Recreate (they are down during each rollout anyway) and StatefulSets of one pod;
- ingress-nginx with \`--shutdown-grace-period\`, and images known to delay by themselves;
- Services for one pod of a StatefulSet, and Services with UDP ports only.

An info where the only pod behind the Service has a PersistentVolumeClaim: it is the only one whatever happens.

Left out where \`single-replica-service\` or \`readiness-probe-missing\` reports the workload: while it has one pod,
or pods that are not asked whether they are ready, requests fail at every rollout whatever this hook does.

In a cluster it says how often pods were stopped lately, as far as that is still known: rollouts and pods that were
made without one in the last seven days, evictions by kubelets in the last day, and what events of the last hour
tell of an autoscaler that removes pods. Rollouts are told by ReplicaSets that are still there, and may have been
more.`,
  falsePositives: `Servers that go on accepting for some seconds after SIGTERM need no hook. That can't be
seen in a manifest: suppress the rule on that workload and say so.`,
  versions:
    '`preStop.sleep` is alpha in 1.29, on by default from 1.30, GA in 1.34; below 1.30 the fix is a command.',
  sources: [
    'kubernetes/pkg/features/kube_features.go of 1.36 (PodLifecycleSleepAction)',
    'Kubernetes documentation, Pod lifecycle (termination of pods)',
    'ingress-nginx/internal/ingress/controller/nginx.go (Stop), docs/user-guide/cli-arguments.md (shutdown-grace-period 0)',
    'ingress-nginx/cmd/waitshutdown/main.go; ingress-nginx#5855 (New option to set a shutdown grace period)',
    'kubernetes/pkg/kubelet/kuberuntime/kuberuntime_container.go (killContainer), kuberuntime_termination_order.go',
    'knative/serving/pkg/reconciler/revision/resources/deploy.go (userLifecycle)',
    'istio/pkg/envoy/agent.go (terminationDrainDuration 5s)',
    'kubernetes/pkg/controller/deployment/sync.go, pkg/controller/podautoscaler/horizontal.go (SuccessfulRescale)',
  ],
  stories: [
    'ravelin-ingress-502',
    'chiefio-four-stories',
    'zalando-misc-races',
    'betz-gke-ingress-keepalive',
  ],
  params: {
    minSleepSeconds: { type: 'integer', minimum: 1, default: 5, about: 'The shortest delay that counts.' },
    drainingImages: {
      type: 'array',
      items: { type: 'string' },
      default: ['proxyv2'],
      about: 'Image repositories (end of the name) that delay their shutdown by themselves.',
    },
  },
  unless: ['single-replica-service', 'readiness-probe-missing'],
  for: 'Workload',
  check(workload, { graph, params, report, minor }) {
    if (groupOf(workload.object.apiVersion ?? '') === 'serving.knative.dev') return
    if (workload.batch || workload.kind === 'Pod' || recreates(workload) || isAlone(workload, graph)) return
    const delayOf = (container: Container) =>
      isInjected(container) ||
      params.drainingImages.some((image) => container.image?.split(/[:@]/)[0]?.endsWith(image))
        ? Number.POSITIVE_INFINITY
        : ownDelayOf(container)
    for (const service of graph.servicesOf(workload)) {
      const entrance = graph.entranceOf(service)
      if (!entrance || onlyUdp(service) || isOfOnePod(service)) continue
      const hasty = hastyBehind(service, workload, { least: params.minSleepSeconds, delayOf }, graph)
      if (!hasty) continue
      const { ending, first, sidecar, isPlain } = hasty
      const { preStop } = first.spec.lifecycle ?? {}
      report(
        preStop ?? first.spec,
        preStop ? undefined : 'lifecycle',
        `Requests may fail whenever a pod stops: ${formatEnding(ending, delayOf(first), entrance.by, sidecar?.name)}.`,
        {
          severity: isPlain && !isBoundToVolume(workload, service, graph) ? 'warning' : 'info',
          recommended: isPlain,
          often: formatTurnover(workload, graph, ['scaleDowns', 'rollouts', 'evictions', 'made']),
          see: [at(entrance.of, entrance.node, entrance.field)],
          fix: fixOf(first, graceOf(workload), isPlain ? params.minSleepSeconds : balancerDelay, minor),
        },
      )
      return
    }
  },
})

/** Containers that end before all clients of a Service know. */
interface Hasty {
  /** Those that get SIGTERM first, and the first of them. */
  readonly ending: readonly Container[]
  readonly first: Container
  /** The native sidecar that serves and ends when they have. */
  readonly sidecar: Container | undefined
  /** They are too fast for any client, not for the balancers of providers alone. */
  readonly isPlain: boolean
}

/** The containers behind a Service that end too soon: of a port whose owner is unknown all, as the hook may well be the owner's. */
function hastyBehind(
  service: Service,
  workload: Workload,
  { least, delayOf }: { readonly least: number; readonly delayOf: (container: Container) => number },
  graph: Graph,
): Hasty | undefined {
  const owners = graph.listeners(workload, service)
  const ordinary = workload.running.filter(({ role }) => role === 'ordinary')
  const serving = owners.length > 0 ? owners : ordinary
  // A native sidecar gets SIGTERM when the ordinary containers have ended.
  const lastOf = (container: Container) =>
    Math.max(...(container.role === 'sidecar' ? [container, ...ordinary] : [container]).map(delayOf))
  const hastier = (seconds: number) => serving.filter((container) => lastOf(container) < seconds)
  const plain = hastier(least)
  const isPlain = plain.length > 0
  // Balancers of providers look at the health of their targets every ten seconds or so.
  const hasty = isPlain || service.spec?.type !== 'LoadBalancer' ? plain : hastier(balancerDelay)
  if (owners.length === 0 && hasty.length < serving.length) return undefined
  const sidecar = hasty.find(({ role }) => role === 'sidecar')
  const ending = sidecar ? ordinary : hasty
  const first = ending[0] ?? hasty[0]
  return first && { ending, first, sidecar, isPlain }
}

/** How the pod stops, while its clients still send to it. */
function formatEnding(
  ending: readonly Container[],
  delay: number,
  by: string,
  sidecar: string | undefined,
): string {
  const one = ending.length === 1
  const names = `${one ? 'container' : 'containers'} ${enumerate(
    ending.map(({ name }) => name),
    'and',
  )}`
  const when = delay === 0 ? 'at once' : `after ${delay} s`
  if (ending.some(isToldToQuit)) return `/wait-shutdown ends ${names} ${when}, while ${by} still sends to it`
  const gets = `${names} ${one ? 'gets' : 'get'} SIGTERM ${when}`
  if (sidecar !== undefined)
    return `${gets}, and sidecar ${sidecar}, to which ${by} still sends, when ${one ? 'it has' : 'they have'} ended`
  return delay === 0 ? `${gets}, while ${by} still sends to it` : `${gets}, and ${by} may still send to it`
}

/** A sleep in front of SIGTERM, where there is no hook that would be lost and the grace period has room for it. */
function fixOf(container: Container, grace: number, sleep: number, minor: number) {
  const { spec } = container
  const { lifecycle, args } = spec
  if (grace < sleep + 5)
    return advise(`a preStop hook that waits ${sleep} s or more, and a grace period longer than ${grace} s`)
  if (lifecycle?.preStop && isToldToQuit(container)) {
    const flag = `--${gracePeriod}=${sleep}`
    return args && flagOf(container, gracePeriod) === undefined
      ? set(args, args.length, flag, `args: ${flag}`)
      : advise(flag)
  }
  if (lifecycle?.preStop?.exec)
    return advise(`a preStop hook that waits ${sleep} s or more, within the grace period of ${grace} s`)
  const preStop =
    minor >= 30 ? { sleep: { seconds: sleep } } : { exec: { command: ['sleep', String(sleep)] } }
  return set(spec, 'lifecycle', { ...lifecycle, preStop })
}

/**
 * Whether a Service has one pod, with a claim: no second one can share its work, and most often the next one waits for its volume, so
 * that requests fail for longer than any hook bridges.
 */
function isBoundToVolume(workload: Workload, service: Service, graph: Graph): boolean {
  if (!workload.pod.volumes?.some((one) => one.persistentVolumeClaim)) return false
  if (graph.autoscalerOf(workload) || graph.scaledObjectOf(workload)) return false
  return graph.fewestPods(workload)?.pods === 1 && podsBeside(workload, service, graph) === 0
}

function onlyUdp({ spec }: Service): boolean {
  const ports = spec?.ports ?? []
  return ports.length > 0 && ports.every((port) => port.protocol === 'UDP')
}

/** Seconds until SIGTERM; unlimited for hooks that may drain by themselves. */
function ownDelayOf(container: Container): number {
  const hook = container.spec.lifecycle?.preStop
  // ingress-nginx: it goes on for so long after SIGTERM, and by default stops at once.
  if (!hook || isToldToQuit(container)) return Number(flagOf(container, gracePeriod) ?? 0) || 0
  if (hook.sleep) return hook.sleep.seconds ?? 0
  return delayOfCommand(hook.exec?.command) || Number.POSITIVE_INFINITY
}

const gracePeriod = 'shutdown-grace-period'

/**
 * Whether the hook is that of ingress-nginx, which sends SIGTERM itself, before anything else, and waits for the end of nginx only.
 * Source: ingress-nginx/cmd/waitshutdown/main.go.
 */
function isToldToQuit({ spec }: Container): boolean {
  const command = spec.lifecycle?.preStop?.exec?.command
  return (command?.some((word) => word === '/wait-shutdown') ?? false) && delayOfCommand(command) === 0
}
