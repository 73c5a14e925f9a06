import {
  atMost,
  configurationsIn,
  flagOf,
  type Graph,
  inRange,
  isKubeProxy,
  isWorkload,
  kernelOf,
  rule,
  stringAt,
} from '../src/rule.js'

export default rule({
  title: 'The mode of kube-proxy is deprecated or slow for this many Services',
  category: 'networking',
  severity: 'info',
  why: `IPVS mode is deprecated from 1.35 and will be switched off, so its defects are no longer a priority
for anybody. In iptables mode the first packet of each connection is held against the rules of all Services in turn.
Before 1.27 every change of a Service or endpoint wrote all these rules anew, too: with thousands of them updates lag and
new pods get traffic late.`,
  remedy: 'Plan the move to `mode: nftables` (kernel 5.13 or newer), on one node pool first.',
  decides: `\`mode\` of a KubeProxyConfiguration (a file, or inside a ConfigMap) or kube-proxy's
\`--proxy-mode\`: \`ipvs\` for targets from 1.35; \`iptables\` or nothing when the input holds more than
\`maxServices\` Services. In a cluster also, as an error: \`nftables\` while nodes
run a kernel below 5.13, on which kube-proxy does not start; and configuration that no kube-proxy reads (Cilium and
others in its place) is left alone. Windows (\`kernelspace\`) is exempt.`,
  versions:
    'IPVS deprecated in 1.35, gate KubeProxyIPVS from 1.37, to be off by default in 1.40 and removed in 1.43; nftables GA in 1.33, to be the default from 1.40. In iptables mode only what has changed is written from 1.27 on (MinimizeIPTablesRestore).',
  sources: [
    'kubernetes/cmd/kube-proxy/app/server_linux.go',
    'kubernetes/pkg/proxy/nftables/supported.go (kernel 5.13)',
    'KEP-5495',
    'KEP-3866 (nftables)',
    'KEP-3453 and kubernetes CHANGELOG-1.27 (MinimizeIPTablesRestore)',
  ],
  stories: ['machu-kube-proxy-ipvs', 'datadog-10-ways'],
  params: {
    maxServices: {
      type: 'integer',
      minimum: 1,
      default: 2000,
      about: 'Services from which iptables mode is reported.',
    },
  },
  for: ['kubeproxy.config.k8s.io/KubeProxyConfiguration', 'ConfigMap', 'Workload'],
  check(subject, { graph, params, minor, report }) {
    const services = graph.all('Service').length
    if (graph.live && !graph.once('kube-proxy-runs', () => runsProxy(graph))) return
    const evidence = graph.live && graph.once('kernels-for-nftables', () => oldKernels(graph))
    const verdict = (mode: string) => {
      if (mode === 'nftables' && evidence && evidence.length > 0)
        return `kube-proxy does not start on nodes with a kernel below 5.13, which nftables mode needs.`
      if (mode === 'ipvs' && minor >= 35)
        return `kube-proxy runs in IPVS mode, which is deprecated since 1.35, to be off by default in 1.40 and removed in 1.43.`
      if ((mode === '' || mode === 'iptables') && services > params.maxServices)
        return minor < 27
          ? `Endpoint changes reach the nodes late: kube-proxy rewrites iptables rules for ${services} Services.`
          : `Connections are made slowly: the first packet of each may pass the iptables rules of ${services} Services in turn.`
      return undefined
    }
    const options = (mode: string | undefined) =>
      mode === 'nftables' ? ({ severity: 'error', evidence } as const) : {}
    if (isWorkload(subject)) {
      for (const container of subject.running) {
        if (!isKubeProxy(container.image)) continue
        const mode = flagOf(container, 'proxy-mode')
        const message = mode === undefined ? undefined : verdict(mode)
        if (message) report(container.spec, container.spec.args ? 'args' : 'command', message, options(mode))
      }
      return
    }
    for (const { value, place } of configurationsIn(
      subject,
      'kubeproxy.config.k8s.io/KubeProxyConfiguration',
    )) {
      const mode = stringAt(value, 'mode') ?? ''
      const message = verdict(mode)
      if (message) report(...place(value, 'mode'), message, options(mode))
    }
  },
})

/** Whether a kube-proxy runs in the cluster: its configuration outlives it where another program takes its place. */
function runsProxy(graph: Graph): boolean {
  return graph.workloads.some(({ running }) => running.some(({ image }) => isKubeProxy(image)))
}

/** The Linux nodes on which kube-proxy refuses nftables mode, by their kernels. */
function oldKernels(graph: Graph): readonly string[] {
  const isSkipped = graph.workloads.some(({ running }) =>
    running.some(({ spec }) =>
      spec.env?.some(({ name }) => name === 'KUBE_PROXY_NFTABLES_SKIP_KERNEL_VERSION_CHECK'),
    ),
  )
  if (isSkipped) return []
  const old = graph.all('Node').flatMap((node) => {
    const kernel = kernelOf(node)
    return kernel && inRange(kernel.release, '<5.13')
      ? [`node ${node.metadata?.name}: kernel ${kernel.text}`]
      : []
  })
  return atMost(3, old.sort())
}
