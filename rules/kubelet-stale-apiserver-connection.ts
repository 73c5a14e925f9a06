import { arrayAt, configurationsIn, objectsAt, rule, stringAt } from '../src/rule.js'

const elb =
  /(^|[/.])[\w-]+(\.[\w-]+)*\.elb\.[\w-]*\.?amazonaws\.com(\.cn)?(:\d+)?$|\.elb\.amazonaws\.com(:\d+)?$/

export default rule({
  title: 'All nodes can lose the API server at the same moment',
  category: 'node',
  severity: 'info',
  why: `The kubelet keeps one connection to the API server. When the addresses behind a balancer's name
change, old clients go on writing into a connection that nobody answers; all nodes stop posting their status
together, and after some minutes the control plane starts to evict every pod.`,
  remedy:
    'Give the API server an endpoint with static addresses (a network load balancer, a virtual IP), and keep kubelets current.',
  decides: `\`controlPlaneEndpoint\` of a kubeadm ClusterConfiguration and \`clusters[].cluster.server\` of
a kubeconfig in the input that name a classic or application load balancer of AWS directly
(\`*.elb.amazonaws.com\`, whose addresses change). Literal addresses are not reported: they may well be a
virtual IP. \`scan\` looks at the kubelets' versions and at nodes that went silent together.`,
  falsePositives: 'The hostname of a network load balancer has the same form and keeps its addresses.',
  versions: 'Kubelets check the health of their connection from 1.18.18, 1.19.5 and 1.20 on.',
  sources: ['kubernetes issue 48638', 'kubernetes PRs 63492 and 95981'],
  stories: ['turnitin-elb', 'zalando-hamburg-elb-notready', 'salemove-master-dns', 'nordstrom-101-ways'],
  for: ['kubeadm.k8s.io/ClusterConfiguration', 'ConfigMap', '/Config'],
  check(subject, { report }) {
    const say = (server: string) =>
      `Every kubelet may hang on a dead connection when the addresses of ${server.replace(/^https:\/\//, '')} change.`
    for (const { value, place } of configurationsIn(subject, 'kubeadm.k8s.io/ClusterConfiguration')) {
      const endpoint = stringAt(value, 'controlPlaneEndpoint')
      if (endpoint && elb.test(endpoint)) report(...place(value, 'controlPlaneEndpoint'), say(endpoint))
    }
    for (const { value, place } of configurationsIn(subject, '/Config')) {
      if (arrayAt(value, 'clusters').length === 0) continue
      for (const cluster of objectsAt(value, 'clusters')) {
        const server = stringAt(cluster, 'cluster', 'server')
        const node = cluster.cluster
        if (server && elb.test(server) && typeof node === 'object' && node !== null)
          report(...place(node, 'server'), say(server))
      }
    }
  },
})
