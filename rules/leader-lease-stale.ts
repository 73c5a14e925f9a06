import {
  at,
  counted,
  flagOf,
  formatSpan,
  type Graph,
  groupBy,
  holderOf,
  imageNamed,
  isWorkload,
  type Lease,
  type Live,
  type Pod,
  patience,
  rule,
  silenceAllowed,
  silentFor,
  type Workload,
} from '../src/rule.js'

const flags = [
  'leader-elect',
  'leader-election-enabled',
  'enable-leader-election',
  'leader-election',
  'enable-leader-elect',
]
const controlPlane = ['kube-controller-manager', 'kube-scheduler', 'cloud-controller-manager']

export default rule({
  title: 'A controller has no leader, or several at once',
  category: 'control-plane',
  severity: 'error',
  why: `Leader election is what makes one replica of a controller act while the others wait. Switched off,
all of them reconcile the same objects: they overwrite each other's changes, create things twice and double
the load on the API server. A single replica without election is fine, until somebody scales it.

A leader that hangs is the other half: its pod looks fine, and nothing is reconciled any more.`,
  remedy: 'Switch leader election on, or run one replica; delete the pod of a leader that hangs.',
  decides: `A workload with two or more pods (by its autoscaler or \`replicas\`) and a container with
\`--leader-elect=false\` or a flag of the same meaning. An error for the Kubernetes controllers themselves, a
warning for others.

In a cluster, Leases that nobody has renewed for \`factor\` times their duration, and at least a minute. An error
when the pod that holds the Lease runs since before, and for kube-controller-manager and kube-scheduler. A warning
when the holder is gone, and another ready pod of the same workload has not taken over. A Lease without a holder
that runs and older than a day is taken for abandoned: it is an info where the rule is asked for, as are one that
nobody holds and one that no pod of the cluster explains. Node Leases are not looked at.`,
  falsePositives: 'Controllers that divide their work by shards need no leader: suppress with that reason.',
  sources: ['k8s.io/component-base/config/options/leaderelectionconfig.go'],
  stories: ['xing-moving', 'zalando-t2-etcd', 'freenow-node-join'],
  params: {
    factor: {
      type: 'number',
      minimum: 1,
      default: patience.leaseDurations,
      about: 'How many times its duration a Lease may be without renewal.',
    },
  },
  for: ['Workload', 'Lease'],
  check(subject, { graph, params, report }) {
    if (!isWorkload(subject)) {
      const silence = graph.live && silenceOf(subject, graph, graph.live, params.factor)
      if (silence)
        report(subject.spec ?? subject, 'renewTime', silence.message, {
          severity: silence.severity,
          recommended: silence.recommended,
          evidence: [
            `Lease held by ${subject.spec?.holderIdentity || 'nobody'}, ${counted(subject.spec?.leaseTransitions ?? 0, 'transition')}`,
          ],
        })
      return
    }
    const workload = subject
    const fewest = graph.fewestPods(workload)
    const twins = twinsOf(workload, graph)
    const pods = Math.max(fewest?.pods ?? 1, twins.length)
    if (pods < 2 || (twins.length > 1 && twins[0] !== workload)) return
    for (const container of workload.running) {
      const flag = flags.find((name) => flagOf(container, name) === 'false')
      if (!flag) continue
      const core = imageNamed(container.image, controlPlane)
      report(
        container.spec,
        container.spec.args ? 'args' : 'command',
        `${pods} replicas of ${workload.name} may all act at once on the same objects: --${flag}=false elects no leader.`,
        {
          severity: core ? 'error' : 'warning',
          see:
            twins.length > 1
              ? twins.slice(1, 2).map((one) => at(one, one.object, undefined, 'another one'))
              : fewest
                ? [at(fewest.of, fewest.node, fewest.field, fewest.note)]
                : [],
        },
      )
      return
    }
  },
})

/** The static pods of the same Kubernetes controller on all machines; none for others. */
function twinsOf({ kind, namespace, labels, object }: Workload, graph: Graph): readonly Workload[] {
  const component = labels.component ?? ''
  return kind === 'Pod' && namespace === 'kube-system' && controlPlane.includes(component)
    ? graph.nearby(object).filter((one) => one.kind === 'Pod' && one.labels.component === component)
    : []
}

const day = 86_400

/** What a Lease that nobody renews means; undefined for one that is renewed, and for one that was left behind. */
function silenceOf(lease: Lease, graph: Graph, live: Live, factor: number) {
  const { name = '', namespace = '' } = lease.metadata ?? {}
  const host = holderOf(lease)
  const silent = silentFor(lease, live)
  // The API servers' own Leases and those of nodes have rules of their own.
  if (namespace === 'kube-node-lease' || name.startsWith('apiserver-')) return undefined
  if (silent === undefined || silent <= silenceAllowed(lease, factor)) return undefined
  const span = formatSpan(silent)
  const abandoned = {
    severity: 'info',
    recommended: false,
    message: `Unless ${name} was removed, nothing that it controls is reconciled: ${host ? 'its Lease has not been renewed' : 'nobody has held its Lease'} for ${formatSpan(silent)}.`,
  } as const
  if (!host) return abandoned
  const effect =
    name === 'kube-scheduler' ? 'No new pod gets a node' : `Nothing that ${name} controls is reconciled`
  const pods = live.podsIn(namespace)
  const named = (wanted: string) => pods.find(({ metadata }) => metadata?.name === wanted)
  const pod = named(host) ?? named(`${name}-${host}`) ?? elsewhere(host, graph, live)
  if (pod && isRunning(pod) && (live.now - lastStartOf(pod)) / 1000 > silent)
    return {
      severity: 'error',
      recommended: true,
      message: `${effect}: pod ${pod.metadata?.name} leads, runs, and has not renewed its Lease for ${span}.`,
    } as const
  if (silent > day) return abandoned
  if (namespace === 'kube-system' && controlPlane.includes(name))
    return {
      severity: 'error',
      recommended: true,
      message: `${effect}: its Lease has not been renewed for ${span}.`,
    } as const
  const heirs = graph.nearby(lease).filter((one) => !one.batch && mayHaveHad(one, host))
  const heir = heirs.flatMap((one) => live.podsOf(one)).find(isRunning)
  return heir
    ? ({
        severity: 'warning',
        recommended: true,
        message: `${effect}: its leader ${host} is gone, and ${heir.metadata?.name} has not taken over for ${span}.`,
      } as const)
    : abandoned
}

/**
 * Whether a pod of the workload may have had that name: behind its own there are the hash of a ReplicaSet and a word at most. Some
 * controllers put an identifier behind the name of their pod.
 */
function mayHaveHad({ name }: Workload, host: string): boolean {
  const pod = host.replace(/-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, '')
  return pod.startsWith(`${name}-`) && pod.slice(name.length + 1).split('-').length <= 2
}

/**
 * The pod of the holder in another namespace, where a controller keeps its Lease in kube-system. cert-manager writes
 * `<pod>-external-cert-manager-controller`.
 */
function elsewhere(host: string, graph: Graph, live: Live): Pod | undefined {
  const byName = graph.once('pods by name', () => groupBy(live.seen.pods, ({ metadata }) => metadata?.name))
  const found = byName.get(host.replace(/-external(-.*)?$/, '')) ?? []
  return found.length === 1 ? found[0] : undefined
}

function isRunning({ metadata, status }: Pod): boolean {
  return metadata?.deletionTimestamp === undefined && status?.phase === 'Running'
}

/** When the containers of the pod were last started: a pod that keeps its name is another holder after a restart. */
function lastStartOf({ status }: Pod): number {
  const starts = (status?.containerStatuses ?? []).map(({ state }) =>
    Date.parse(state?.running?.startedAt ?? ''),
  )
  return Math.max(Date.parse(status?.startTime ?? ''), ...starts) || Number.POSITIVE_INFINITY
}
