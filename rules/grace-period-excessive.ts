import { rule } from '../src/rule.js'

export default rule({
  title: 'Pods may take so long to stop that drains and upgrades stall',
  category: 'workload-lifecycle',
  severity: 'warning',
  why: `A drain waits for every pod of the node. With grace periods of an hour an upgrade takes hours per node, or is cut short: managed upgrades end pods after an hour at most, the cluster autoscaler after ten minutes, a spot machine goes
within 25 to 120 seconds.`,
  remedy: 'Hand the work over or save it sooner, and keep the grace period below ten minutes.',
  decides: `\`terminationGracePeriodSeconds\` above \`warnAbove\`; for pods that select spot nodes above \`spotMax\`, as those nodes do not wait. Jobs and single Pods are exempt.`,
  falsePositives:
    'Databases and brokers that move data away when they stop: raise `warnAbove` for them by a suppression with that reason.',
  versions: 'cluster-autoscaler: --max-graceful-termination-sec, default 600.',
  sources: ['cluster-autoscaler FAQ', 'GKE documentation, surge upgrades', 'kubernetes issue 94435'],
  stories: ['betz-gke-upgrade', 'loveholidays-gke-upgrade'],
  params: {
    warnAbove: { type: 'integer', minimum: 1, default: 600, about: 'Seconds that are fine.' },
    spotMax: { type: 'integer', minimum: 1, default: 120, about: 'Seconds that a spot node gives.' },
  },
  for: 'Workload',
  check(workload, { params, report }) {
    const { pod } = workload
    const grace = pod.terminationGracePeriodSeconds
    if (grace === undefined || workload.batch || workload.kind === 'Pod') return
    const spot = Object.entries(pod.nodeSelector ?? {}).find(
      ([key, value]) =>
        /(^|[./-])(spot|preemptible|capacity-?type|lifecycle)$/i.test(key) &&
        /^(true|spot|preemptible|Ec2Spot)$/i.test(value),
    )
    if (spot && grace > params.spotMax) {
      report(
        pod,
        'terminationGracePeriodSeconds',
        `The node is gone before ${workload.name} has stopped: spot nodes give ${params.spotMax} s at most, the pods take up to ${grace} s.`,
      )
    } else if (grace > params.warnAbove) {
      report(
        pod,
        'terminationGracePeriodSeconds',
        `Drains and upgrades wait up to ${Math.round(grace / 60)} min for each pod of ${workload.name}, or cut it off: its grace period is ${grace} s.`,
      )
    }
  },
})
