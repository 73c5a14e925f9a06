import {
  at,
  configurationsIn,
  flagOf,
  type Graph,
  imageParts,
  inRange,
  isKubeProxy,
  rule,
  stringAt,
  version,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'kube-proxy in IPVS mode has a release with broken graceful termination',
  category: 'networking',
  severity: 'error',
  why: `In these releases kube-proxy's IPVS mode lets connections to a deleted pod finish, but a deadlock leaves the
dead address among the real servers until kube-proxy is restarted: the node sends a share of the connections to an
address that nobody has. In others that happens to UDP alone, for as long as clients go on sending.`,
  remedy: 'Upgrade kube-proxy to a release with the cure; restarting it helps for the moment.',
  decides: `The image tag of a container named kube-proxy (by its image), and IPVS mode from
\`--proxy-mode\` or from the KubeProxyConfiguration of the input. An error for 1.11.5 to 1.11.6, 1.12.2 to
1.12.4 and 1.13.0 to 1.13.1. A warning for those in which UDP traffic to removed DNS pods is lost: from 1.11.7 on,
1.12.5 to 1.12.9, 1.13.2 to 1.13.7 and 1.14.0 to 1.14.3.

Exempt: the iptables and nftables modes, and kube-proxy whose mode the input does not tell.`,
  versions:
    'Cured in 1.11.7, 1.12.5 and 1.13.2 (TCP, PR 72361), and in 1.12.10, 1.13.8, 1.14.4 and 1.15.0 (UDP, PRs 77802 and 78999).',
  sources: [
    'kubernetes issue 71071',
    'kubernetes/CHANGELOG/CHANGELOG-1.11.md to CHANGELOG-1.16.md (PRs 66012, 71515, 72361, 77802 and 78999)',
    'kubernetes/pkg/proxy/ipvs/graceful_termination.go of 1.12.3, 1.14.3 and 1.15.0',
  ],
  stories: ['machu-kube-proxy-ipvs', 'datadog-10-ways'],
  params: {
    affected: {
      type: 'array',
      items: { type: 'string' },
      default: ['>=1.11.5 <1.11.7', '>=1.12.2 <1.12.5', '>=1.13.0 <1.13.2'],
      about: 'Releases that keep dead addresses.',
    },
    udpAffected: {
      type: 'array',
      items: { type: 'string' },
      default: ['>=1.11.6 <1.12.0', '>=1.12.4 <1.12.10', '>=1.13.1 <1.13.8', '>=1.14.0 <1.14.4'],
      about: 'Releases that lose UDP traffic to removed pods.',
    },
  },
  for: 'Workload',
  check(workload, { graph, params, report }) {
    for (const container of workload.running) {
      if (!container.image || !isKubeProxy(container.image)) continue
      const tag = imageParts(container.image).tag
      const release = version(tag)
      const mode = modeOf(workload, flagOf(container, 'proxy-mode'), graph)
      if (!release || mode?.name !== 'ipvs') continue
      const see = [mode.see]
      if (params.affected.some((range) => inRange(release, range))) {
        report(
          container.spec,
          'image',
          `Nodes send connections to pods that are gone until kube-proxy is restarted: ${tag} in IPVS mode deadlocks in graceful termination.`,
          { see },
        )
      } else if (params.udpAffected.some((range) => inRange(release, range))) {
        report(
          container.spec,
          'image',
          `DNS answers are lost when a DNS pod goes: ${tag} in IPVS mode keeps sending UDP to removed pods.`,
          { severity: 'warning', see },
        )
      }
    }
  },
})

function modeOf(workload: Workload, flag: string | undefined, graph: Graph) {
  if (flag !== undefined) return { name: flag, see: undefined }
  for (const configMap of graph.siblings('ConfigMap', workload.object)) {
    for (const { value } of configurationsIn(configMap, 'kubeproxy.config.k8s.io/KubeProxyConfiguration')) {
      return {
        name: stringAt(value, 'mode') ?? 'iptables',
        see: configMap.data ? at(configMap, configMap.data, undefined, 'sets the mode') : undefined,
      }
    }
  }
  return undefined
}
