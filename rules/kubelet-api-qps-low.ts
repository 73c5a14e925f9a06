import {
  configurationsIn,
  countBy,
  counted,
  type Fault,
  flagOf,
  type Graph,
  isWorkload,
  numberAt,
  type RuleFix,
  rule,
  safe,
  set,
} from '../src/rule.js'

/** Pods that one kubelet starts in a minute: their status alone is some requests each. */
const manyPods = 30

export default rule({
  title: 'The kubelet may send too few requests to the API server',
  category: 'node',
  severity: 'warning',
  why: `The kubelet limits its own requests. With five a second a node that starts some dozens of pods at
once reports their status and addresses minutes late: Services miss endpoints, agents that wait for the
pod's address hand out no credentials, and pods that run already look Pending.`,
  remedy: 'Use the defaults of today: `kubeAPIQPS: 50` and `kubeAPIBurst: 100`.',
  decides: `\`kubeAPIQPS\` below \`minQps\` in a KubeletConfiguration (a file or inside a ConfigMap), or
\`kubeAPIBurst\` below \`kubeAPIQPS\`; the same for \`--kube-api-qps\` of a container. A missing value
counts for targets below 1.27, whose default was 5, and so does 0, which the client takes for 5.

In a cluster the minute stands below the finding in which the most pods were started on one node, from thirty on.`,
  versions: 'Defaults 5 and 10 until 1.26, 50 and 100 from 1.27.',
  sources: [
    'k8s.io/kubelet/config/v1beta1/types.go at 0.26.15 and 0.27.0',
    'k8s.io/client-go/rest/config.go (DefaultQPS)',
  ],
  stories: ['zalando-kubelet-qps', 'chiefio-four-stories'],
  params: {
    minQps: { type: 'integer', minimum: 1, default: 20, about: 'Requests a second that are enough.' },
  },
  for: ['kubelet.config.k8s.io/KubeletConfiguration', 'ConfigMap', 'Workload'],
  check(subject, { graph, params, minor, report }) {
    if (isWorkload(subject)) {
      for (const container of subject.running) {
        const qps = Number(flagOf(container, 'kube-api-qps') ?? Number.NaN)
        // The flag of the same name limits other components' requests; only the kubelet's matters here.
        if (qps < params.minQps && /kubelet/.test(`${container.name} ${container.image}`))
          report(container.spec, container.spec.args ? 'args' : 'command', lateBy(qps), {
            evidence: busiestMinute(graph),
          })
      }
      return
    }
    for (const found of configurationsIn(subject, 'kubelet.config.k8s.io/KubeletConfiguration')) {
      const fault = faultOfConfiguration(found, params.minQps, minor, graph)
      if (fault) report(...fault)
    }
  },
})

function lateBy(qps: number): string {
  return `Status and addresses of new pods arrive late when many start at once: the kubelet may send ${qps} requests a second.`
}

/** What is to be said of the rate that a configuration of the kubelet sets or has by default, or of a burst below it. */
function faultOfConfiguration(
  { value, place }: ReturnType<typeof configurationsIn>[number],
  minQps: number,
  minor: number,
  graph: Graph,
): Fault | undefined {
  const written = numberAt(value, 'kubeAPIQPS')
  const burst = numberAt(value, 'kubeAPIBurst')
  // 0 becomes the default of the client. Source: k8s.io/client-go/rest/config.go (DefaultQPS).
  const qps = written === 0 ? 5 : (written ?? (minor < 27 ? 5 : 50))
  const [node, field] = place(value, 'kubeAPIQPS')
  // What stands in a text of a ConfigMap is not changed.
  const isItself = node === value
  // A negative one the kubelet refuses: kubernetes/pkg/kubelet/apis/config/validation/validation.go.
  if (qps > 0 && qps < minQps)
    return [
      node,
      field,
      lateBy(qps),
      {
        fix: isItself ? safe(today(value, burst || (minor < 27 ? 10 : 100))) : undefined,
        evidence: busiestMinute(graph),
      },
    ]
  if (burst === undefined || burst <= 0 || burst >= qps) return undefined
  return [
    ...place(value, 'kubeAPIBurst'),
    `The kubelet is held back when many pods start at once: kubeAPIBurst ${burst} is below kubeAPIQPS ${qps}.`,
    { fix: isItself ? safe(set(value, 'kubeAPIBurst', Math.max(100, qps * 2))) : undefined },
  ]
}

/** The rate of today; a burst below it would hold it back. */
function today(configuration: object, burst: number): RuleFix {
  const rate = set(configuration, 'kubeAPIQPS', 50)
  return burst >= 50
    ? rate
    : {
        ...rate,
        title: 'kubeAPIQPS: 50, kubeAPIBurst: 100',
        edits: [...rate.edits, ...set(configuration, 'kubeAPIBurst', 100).edits],
      }
}

/** The minute in which the most pods were started on one node, when they are many. */
function busiestMinute(graph: Graph): readonly string[] {
  const pods = graph.live?.seen.pods ?? []
  return graph.once('kubelet-api-qps-low', () => {
    const counts = countBy(pods, ({ spec, status }) =>
      spec?.nodeName && status?.startTime ? `${spec.nodeName} ${status.startTime.slice(0, 16)}` : undefined,
    )
    const [[key, count] = ['', 0]] = [...counts].sort(([, m], [, n]) => n - m)
    const [node, minute] = key.split(' ')
    return count < manyPods
      ? []
      : [`${counted(count, 'pod')} started on node ${node} in the minute from ${minute}Z`]
  })
}
