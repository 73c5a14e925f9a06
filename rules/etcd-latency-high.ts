import { ageOf, atMost, formatSpan, type Graph, type Lease, type Live, rule } from '../src/rule.js'

const core = ['kube-controller-manager', 'kube-scheduler']

export default rule({
  title: 'The control plane keeps electing new leaders',
  category: 'control-plane',
  severity: 'warning',
  why: `A leader that can't renew its Lease in 10 s gives up, and its process ends. When that happens again and
again, the API server or etcd behind it most often answers too slowly: a small machine, a slow disk, too many objects or
too large lists. Probes fail in the same moments, and whatever restarts reads everything again.`,
  remedy:
    'Look at etcd_disk_wal_fsync_duration_seconds and apiserver_request_duration_seconds; then faster disks or fewer objects.',
  decides: `The Leases of kube-controller-manager and kube-scheduler: more than \`transitionsPerDay\` changes of
their holder a day since they exist, and at least 20. Other Leases with as many changes are named below. The
metrics of the API server are not read.`,
  falsePositives: 'A Lease keeps its count for good: changes that are long over still show.',
  sources: [
    'k8s.io/api/coordination/v1/types.go',
    'k8s.io/client-go/tools/leaderelection/leaderelection.go',
    'k8s.io/component-base/config/v1alpha1/defaults.go (RenewDeadline 10s)',
  ],
  stories: ['zalando-t2-etcd', 'nrelabs-etcd-liveness', 'civis-large-cluster', 'fullstaq-dex-crs'],
  needs: 'cluster',
  params: {
    transitionsPerDay: {
      type: 'number',
      minimum: 0,
      default: 3,
      about: 'How often a day a leader may change.',
    },
  },
  for: 'Lease',
  check(lease, { graph, params, report }) {
    const { live } = graph
    if (!live) return
    const restless = graph.once('etcd-latency-high: restless-leases', () =>
      restlessLeases(graph, live, params.transitionsPerDay),
    )
    const own = restless.filter(({ metadata }) => isCore(metadata?.namespace, metadata?.name))
    if (own[0] !== lease) return
    const { name } = lease.metadata ?? {}
    const others = restless.filter((one) => one !== lease)
    report(
      lease.spec ?? lease,
      'leaseTransitions',
      `${name} has lost its lead ${lossesOf(lease, live)}: most often the API server or etcd is too slow to renew it.`,
      {
        evidence: atMost(
          3,
          others.map((one) => {
            const { namespace, name } = one.metadata ?? {}
            return `Lease ${namespace}/${name}: ${lossesOf(one, live)}`
          }),
        ),
      },
    )
  },
})

function isCore(namespace: string | undefined, name: string | undefined): boolean {
  return namespace === 'kube-system' && core.includes(name ?? '')
}

/** The Leases that change hands too often, the worst first. */
function restlessLeases(graph: Graph, live: Live, most: number): readonly Lease[] {
  return graph
    .seen('Lease')
    .filter((lease) => (lease.spec?.leaseTransitions ?? 0) >= 20 && perDay(lease, live) > most)
    .sort((a, b) => perDay(b, live) - perDay(a, live))
}

/** `1742 times in 20 days`. */
function lossesOf(lease: Lease, live: Live): string {
  const age = ageOf(lease, live)
  const count = `${lease.spec?.leaseTransitions ?? 0} times`
  return Number.isFinite(age) ? `${count} in ${formatSpan(age)}` : count
}

function perDay(lease: Lease, live: Live): number {
  return (lease.spec?.leaseTransitions ?? 0) / Math.max(1, ageOf(lease, live) / 86_400)
}
