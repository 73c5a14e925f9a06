import {
  advise,
  at,
  type ConfigMap,
  type Container,
  containerStates,
  dataWrittenAt,
  type Graph,
  type Live,
  rule,
  type Secret,
  spanSince,
  type Workload,
} from '../src/rule.js'

type Config = ConfigMap | Secret

/** Annotations that change with a configuration, or that ask a controller to roll the pods with it. */
const rolled =
  /checksum|sha(1|256)|hash|reloader\.stakater\.com|wave\.pusher\.com|\bstakater\b|rollme|config-?version/i

/** The end of a name that kustomize makes of the contents. Source: kustomize/api/hasher/hasher.go. */
const hashed = /-[bcdfghkmt2456789]{10}$/

export default rule({
  title: 'Configuration changes without a rollout',
  category: 'config',
  severity: 'info',
  recommended: false,
  why: `Environment variables and \`subPath\` mounts are read once, when a container starts. A change of the
ConfigMap or Secret reaches nobody at first; then each container that happens to restart gets it, one replica
after the other. A bad value does its harm hours or weeks after it was written, and no rollout can be rolled
back.`,
  remedy:
    'Put a hash of the configuration into the pod template, or into the name of an immutable ConfigMap (kustomize does it).',
  decides: `A Deployment, StatefulSet, DaemonSet or similar that reads a ConfigMap or Secret of the input by
\`env\`, \`envFrom\` or a \`subPath\` mount; or a ConfigMap by a plain mount, whose files are exchanged in all pods at
once (not where something in the pod is made to reload them). Exempt: \`immutable: true\`, names that end with the hash of
kustomize, and pods or workloads with an annotation for it (a checksum, Reloader, Wave).

A warning in a cluster when the data was written after containers had started that read it: they run the old
values, all of them or some.`,
  falsePositives: `The API server notes when a client last changed what it owns of an object. A change of labels
by the same client counts, too.`,
  sources: [
    'kubernetes/pkg/kubelet/kubelet_pods.go (makeEnvironmentVariables)',
    'Kubernetes documentation, ConfigMaps (mounted ConfigMaps are updated automatically)',
    'k8s.io/apimachinery/pkg/apis/meta/v1/types.go (ManagedFieldsEntry)',
  ],
  stories: ['pusher-config-changed', 'dfds-kiam-cert'],
  for: 'Workload',
  check(workload, { graph, report }) {
    if (workload.batch || workload.kind === 'Pod') return
    if ([workload.annotations, workload.object.metadata?.annotations ?? {}].some(hasMark)) return
    const isFree = ({ config }: { config: Config }) =>
      config.immutable !== true && !hashed.test(config.metadata?.name ?? '')
    const uses = usesOf(workload, graph).filter(isFree)
    const [first] = uses
    if (!first) {
      const files = reloads(workload) ? undefined : filesOf(workload, graph).find(isFree)
      if (files)
        report(
          files.node,
          files.field,
          `A change of ${graph.describe(files.config)} reaches the files of all pods of ${workload.name} within about a minute: nothing rolls it out step by step.`,
          { recommended: false, see: [at(files.config, files.config)], fix: advice },
        )
      return
    }
    const { live } = graph
    const stale =
      live && uses.map((use) => ({ use, ...startsOf(use, workload, live) })).find(({ old }) => old > 0)
    const name = graph.describe((stale?.use ?? first).config)
    if (live && stale) {
      const { use, old, young, written } = stale
      report(
        use.node,
        use.field,
        young > 0
          ? `${old} of ${old + young} pods of ${workload.name} ${old === 1 ? 'runs' : 'run'} with old values of ${name}, the others with new ones.`
          : `${workload.name} runs with old values of ${name}: it was written ${spanSince(written, live)} ago, after the pods had started.`,
        { severity: 'warning', see: [at(use.config, use.config)], fix: advice },
      )
      return
    }
    report(
      first.node,
      first.field,
      `A change of ${name} reaches ${workload.name} whenever a pod happens to restart: nothing rolls it out.`,
      { see: [at(first.config, first.config)], fix: advice },
    )
  },
})

const advice = advise('an annotation of the pod template with a hash of the configuration')

interface Use {
  readonly config: Config
  readonly node: object
  readonly field: string
  readonly container: string
}

function hasMark(annotations: Readonly<Record<string, string | undefined>>): boolean {
  return Object.keys(annotations).some((key) => rolled.test(key))
}

/** The configurations of the input that containers read once. */
function usesOf(workload: Workload, graph: Graph): readonly Use[] {
  return graph.referencesOf(workload).flatMap(({ kind, name, node, field, container }) => {
    if (kind !== 'ConfigMap' && kind !== 'Secret') return []
    const config = graph.find(kind, name, workload.object)
    const user = container ?? mountedBySubPath(workload, node)?.name
    return config && user !== undefined ? [{ config, node, field, container: user }] : []
  })
}

/** The configurations of the input whose files the kubelet exchanges under containers that run. */
function filesOf(workload: Workload, graph: Graph) {
  return graph.referencesOf(workload).flatMap(({ kind, name, as, node, field }) => {
    const config =
      kind === 'ConfigMap' && (as === 'volume' || as === 'projected volume')
        ? graph.find(kind, name, workload.object)
        : undefined
    return config ? [{ config, node, field }] : []
  })
}

/** Whether something in the pod is made to take new files in: CoreDNS, or a sidecar for it. */
function reloads({ running }: Workload): boolean {
  return running.some(({ image, name }) =>
    /reload|coredns|k8s-sidecar|config-watcher/.test(`${image} ${name}`),
  )
}

function mountedBySubPath({ pod, running }: Workload, source: object): Container | undefined {
  const volume = (pod.volumes ?? []).find(
    ({ configMap, secret, projected }) =>
      configMap === source ||
      secret === source ||
      projected?.sources?.some((one) => one.configMap === source || one.secret === source),
  )
  return running.find(({ spec }) =>
    spec.volumeMounts?.some(({ name, subPath }) => subPath !== undefined && name === volume?.name),
  )
}

/** How many pods started their container before, and after, the configuration was written. */
function startsOf({ config, container }: Use, workload: Workload, live: Live) {
  const written = dataWrittenAt(config)
  const starts = live.podsOf(workload).flatMap((pod) => {
    const running = containerStates(pod).find(({ name }) => name === container)?.state?.running
    const start = Date.parse(running?.startedAt ?? '')
    return Number.isNaN(start) ? [] : [start]
  })
  const old = starts.filter((start) => start < written).length
  return { old, young: starts.length - old, written }
}
