import { at, flagOf, imageNamed, rule } from '../src/rule.js'

const flags = ['leader-elect', 'enable-leader-election', 'leader-election', 'enable-leader-elect']
const controlPlane = ['kube-controller-manager', 'kube-scheduler', 'cloud-controller-manager']

export default rule({
  title: 'Several replicas of a controller work without leader election',
  category: 'control-plane',
  severity: 'error',
  why: `Leader election is what makes one replica of a controller act while the others wait. Switched off,
all of them reconcile the same objects: they overwrite each other's changes, create things twice and double
the load on the API server. A single replica without election is fine, until somebody scales it.`,
  remedy: 'Switch leader election on, or run one replica.',
  decides: `A workload with two or more pods (by its autoscaler or \`replicas\`) and a container with
\`--leader-elect=false\` or a flag of the same meaning. An error for the Kubernetes controllers themselves,
a warning for others. \`scan\` also reports leases that nobody renews.`,
  falsePositives: 'Controllers that divide their work by shards need no leader: suppress with that reason.',
  sources: ['k8s.io/component-base/config/options/leaderelectionconfig.go'],
  stories: ['xing-moving', 'zalando-t2-etcd', 'freenow-node-join'],
  for: 'Workload',
  check(workload, { graph, report }) {
    const fewest = graph.fewestPods(workload)
    if (!fewest || fewest.pods < 2) return
    for (const container of workload.running) {
      const flag = flags.find((name) => flagOf(container, name) === 'false')
      if (!flag) continue
      const core = imageNamed(container.image, controlPlane)
      report(
        container.spec,
        container.spec.args ? 'args' : 'command',
        `${fewest.pods} replicas of ${workload.name} all act at once on the same objects: --${flag}=false.`,
        {
          severity: core ? 'error' : 'warning',
          see: [at(fewest.of, fewest.node, fewest.field)],
        },
      )
      return
    }
  },
})
