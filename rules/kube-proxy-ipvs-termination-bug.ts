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
  why: `In these releases kube-proxy's IPVS mode lets connections to a deleted pod finish, but a deadlock or
a missed clean-up leaves the dead address among the real servers. The node then sends a share of the
connections to an address that nobody has, until kube-proxy is restarted.`,
  remedy: 'Upgrade kube-proxy to a release with the cure; restarting it helps for the moment.',
  decides: `The image tag of a container named kube-proxy (by its image), and IPVS mode from
\`--proxy-mode\` or from the KubeProxyConfiguration of the input. An error for 1.11.5 to 1.11.6, 1.12.2 to
1.12.4 and 1.13.0 to 1.13.1. A warning for other releases from 1.11.5 to 1.14, where UDP traffic to removed
DNS pods is lost; an info for those patch releases of 1.12 to 1.14 that may hold the backport.

Exempt: the iptables and nftables modes, and kube-proxy whose mode the input does not tell.`,
  versions: 'Cured in 1.11.7, 1.12.5 and 1.13.2 (TCP, PR 72361), and in 1.15.0 (UDP, PR 77802).',
  sources: ['kubernetes issue 71071', 'CHANGELOG-1.11.md', 'kubernetes PRs 66012, 71515, 72361, 77802'],
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
      default: ['>=1.11.5 <1.15.0'],
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
        // The backports of mid-2019 are in unknown patch releases of 1.12 to 1.14.
        const backport = release[1] >= 12 && release[2] >= 9
        report(
          container.spec,
          'image',
          `DNS answers are lost when a DNS pod goes: ${tag} in IPVS mode ${backport ? 'may keep' : 'keeps'} sending UDP to removed pods.`,
          { severity: backport ? 'info' : 'warning', see },
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
