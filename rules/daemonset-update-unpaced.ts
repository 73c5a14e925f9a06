import { at, imageNamed, intOrPercent, type ObjectOf, rule, set } from '../src/rule.js'

export default rule({
  title: 'A DaemonSet is updated on many nodes at once',
  category: 'workload-lifecycle',
  severity: 'warning',
  why: `The controller replaces up to \`maxUnavailable\` pods at the same time (or starts up to \`maxSurge\` new
ones). A version that does not start, or whose start is expensive for the API server or a registry, is on
all those nodes within a minute. It stops at a broken pod only by readiness: without a readiness probe a pod
that runs counts as good.`,
  remedy:
    'Update a few nodes at a time (`maxUnavailable: 5%`), with a readiness probe and `minReadySeconds`.',
  decides: `\`updateStrategy.rollingUpdate\` with \`maxUnavailable\` or \`maxSurge\` of \`maxPercent\` or more, or
more than \`maxCount\` nodes (the default is 1). In a cluster the share is taken of
\`status.desiredNumberScheduled\`, and two pods at a time are always fine. Where the rule
is asked for, no \`minReadySeconds\` in agents of \`system-node-critical\` is an info. Left out where
\`rollout-drops-all-replicas\` reports the same field of a DaemonSet behind a Service.

Exempt: pods whose containers only pause, as those that pull images onto the nodes ahead of time.`,
  falsePositives: 'Agents that nothing depends on while they restart, as exporters of metrics.',
  versions: '`maxSurge` of DaemonSets: GA 1.25.',
  sources: ['kubernetes/pkg/controller/daemon/update.go', 'kubernetes/pkg/apis/apps/v1/defaults.go'],
  stories: ['openai-telemetry', 'datadog-10-ways', 'render-mass-restart', 'dfds-kiam-cert'],
  params: {
    maxPercent: { type: 'integer', minimum: 1, default: 25, about: 'Share of the nodes that is too many.' },
    maxCount: {
      type: 'integer',
      minimum: 1,
      default: 10,
      about: 'Number of nodes above which it is too many.',
    },
  },
  unless: ['rollout-drops-all-replicas'],
  for: 'DaemonSet',
  check(daemonSet, { graph, params, report }) {
    const { spec, status } = daemonSet
    const rolling = spec?.updateStrategy?.rollingUpdate
    const workload = graph.workload(daemonSet)
    if (!spec || !workload || spec.updateStrategy?.type === 'OnDelete') return
    if (workload.running.every(({ image }) => imageNamed(image, ['pause']))) return
    for (const field of ['maxUnavailable', 'maxSurge'] as const) {
      const many = tooMany(rolling?.[field], params, status?.desiredNumberScheduled)
      if (!rolling || many === undefined) continue
      const isProbed =
        many === everywhere || workload.running.some((container) => container.spec.readinessProbe)
      const [first] = isProbed ? [] : workload.containers
      report(
        rolling,
        field,
        `A bad version of ${workload.name} is on ${many} at once${isProbed ? '' : ', and without a readiness probe nothing stops the rest'}.`,
        {
          see: [first && at(daemonSet, first.spec, 'name', 'no readiness probe')],
          evidence: underWay(status),
          fix: set(rolling, field, '5%'),
        },
      )
      return
    }
    const isCritical = workload.pod.priorityClassName === 'system-node-critical'
    if (isCritical && !spec.minReadySeconds)
      report(
        spec,
        'minReadySeconds',
        `A version of ${workload.name} that fails after its start goes to one node after the other: each pod counts as available as soon as it is ready.`,
        { severity: 'info', recommended: false, fix: set(spec, 'minReadySeconds', 30) },
      )
  },
})

const everywhere = 'all nodes'

/**
 * How many nodes get a new version at once, in words; undefined where that is not too many.
 * @param nodes how many there are, where that is known
 */
function tooMany(
  value: number | string | undefined,
  { maxCount, maxPercent }: { readonly maxCount: number; readonly maxPercent: number },
  nodes: number | undefined,
): string | undefined {
  const percent = intOrPercent(value, 100, 'up')
  if (value === undefined || percent === undefined) return undefined
  if (nodes !== undefined && (intOrPercent(value, nodes, 'up') ?? 0) <= 2) return undefined
  if (typeof value === 'number') return value > maxCount ? `up to ${value} nodes` : undefined
  if (percent < maxPercent) return undefined
  return percent === 100 ? everywhere : `${value} of the nodes`
}

/** How far an update has come that has not ended. */
function underWay(status: ObjectOf<'DaemonSet'>['status']): readonly string[] | undefined {
  const { desiredNumberScheduled: nodes, numberUnavailable = 0, updatedNumberScheduled = 0 } = status ?? {}
  if (nodes === undefined || updatedNumberScheduled >= nodes || numberUnavailable === 0) return undefined
  return [
    `${numberUnavailable} of ${nodes} pods ${numberUnavailable === 1 ? 'is' : 'are'} unavailable, ${updatedNumberScheduled} updated`,
  ]
}
