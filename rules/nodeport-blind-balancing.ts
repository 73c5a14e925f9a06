import { rule } from '../src/rule.js'

export default rule({
  title: 'A balancer outside sends to every node, joining and leaving ones included',
  category: 'networking',
  severity: 'info',
  recommended: false,
  why: `A fixed node port is the sign of a balancer that somebody set up by hand over the nodes. With policy
Cluster every node answers on that port, whether its rules are complete or not, so a node that joins, drains
or has a broken network takes its share of the connections. It shows only while nodes are rolled.`,
  remedy: 'Send to a small, health-checked set of nodes, or let the balancer address the pods.',
  decides: `A Service of type NodePort or LoadBalancer with \`externalTrafficPolicy\` Cluster (the default)
and a \`nodePort\` written into a port. Provider balancers that target pods (annotations for NEG or target
type ip) are exempt.`,
  falsePositives: 'Test clusters, and balancers that probe kube-proxy on port 10256.',
  versions:
    'kube-proxy fails its health check while its node is being deleted from 1.30 on (KubeProxyDrainingTerminatingNodes, GA 1.31).',
  sources: ['KEP-3836', 'k8s.io/api/core/v1/types.go (ServiceExternalTrafficPolicy)'],
  stories: ['oneandone-node-join-timeouts', 'saltside-elb-migration', 'zalando-misc-races'],
  for: 'Service',
  check(service, { report }) {
    const { spec, metadata } = service
    if (
      !spec ||
      (spec.type !== 'NodePort' && spec.type !== 'LoadBalancer') ||
      spec.externalTrafficPolicy === 'Local'
    )
      return
    const fixed = spec.ports?.find((port) => port.nodePort)
    const annotations = JSON.stringify(metadata?.annotations ?? {})
    if (!fixed || /cloud\.google\.com\/neg|target-type":"ip/.test(annotations)) return
    report(
      fixed,
      'nodePort',
      `A node that joins or drains takes its share of new connections: port ${fixed.nodePort} answers on every node, ready or not.`,
    )
  },
})
