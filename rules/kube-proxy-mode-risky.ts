import { configurationsIn, flagOf, imageParts, isWorkload, rule, stringAt } from '../src/rule.js'

export default rule({
  title: 'The mode of kube-proxy is deprecated or slow for this many Services',
  category: 'networking',
  severity: 'info',
  why: `IPVS mode is deprecated from 1.35 and will be switched off, so its defects are no longer a priority
for anybody. In iptables mode every change of a Service or endpoint rewrites rules in proportion to all
Services; with thousands of them updates lag and new pods get traffic late.`,
  remedy: 'Plan the move to `mode: nftables` (kernel 5.13 or newer), on one node pool first.',
  decides: `\`mode\` of a KubeProxyConfiguration (a file, or inside a ConfigMap) or kube-proxy's
\`--proxy-mode\`: \`ipvs\` for targets from 1.35; \`iptables\` or nothing when the input holds more than
\`maxServices\` Services. Windows (\`kernelspace\`) is exempt.`,
  versions: 'IPVS deprecated in 1.35, gate KubeProxyIPVS from 1.37, off in 1.40; nftables GA in 1.33.',
  sources: ['kubernetes/cmd/kube-proxy/app/server_linux.go', 'KEP-5495', 'KEP-3866'],
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
    const verdict = (mode: string) => {
      if (mode === 'ipvs' && minor >= 35)
        return `kube-proxy runs in IPVS mode, which is deprecated since 1.35 and planned to be off in 1.40.`
      if ((mode === '' || mode === 'iptables') && services > params.maxServices)
        return `Endpoint changes reach the nodes late: kube-proxy rewrites iptables rules for ${services} Services.`
      return undefined
    }
    if (isWorkload(subject)) {
      for (const container of subject.running) {
        if (!container.image || imageParts(container.image).name !== 'kube-proxy') continue
        const mode = flagOf(container, 'proxy-mode')
        const message = mode === undefined ? undefined : verdict(mode)
        if (message) report(container.spec, container.spec.args ? 'args' : 'command', message)
      }
      return
    }
    for (const { value, place } of configurationsIn(
      subject,
      'kubeproxy.config.k8s.io/KubeProxyConfiguration',
    )) {
      const message = verdict(stringAt(value, 'mode') ?? '')
      if (message) report(...place(value, 'mode'), message)
    }
  },
})
