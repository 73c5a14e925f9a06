import {
  ageOf,
  atMost,
  formatSpan,
  imageNamed,
  imageParts,
  isStranded,
  type Live,
  type Pod,
  presentPods,
  rule,
  troubleOf,
  unreadyFor,
  unreadyPods,
} from '../src/rule.js'

export default rule({
  title: 'The network policy agent is down on some nodes',
  category: 'networking',
  severity: 'warning',
  why: `The agent writes the rules of network policies on its node. While it is down, the old rules stay: pods that
start may be cut off or open to all, policies that change have no effect, and the difference shows when the
agent starts again, often long after the change.`,
  remedy: 'Repair the agent on these nodes, and restart it where its release differs from the others.',
  decides: `DaemonSets that run an image of \`images\`, and of them

- pods that have not been ready for \`minutes\` on nodes that are ready (of others \`node-not-ready\` tells);
- pods that run another tag than the template names for more than an hour after the newest pod was made, as after an
  update with \`OnDelete\` or a rollout that hangs.

The rules on the nodes themselves cannot be read through the API.`,
  sources: ['k8s.io/api/apps/v1/types.go (DaemonSetUpdateStrategy)', 'k8s.io/api/networking/v1/types.go'],
  stories: ['machu-kube-proxy-ipvs'],
  needs: 'cluster',
  params: {
    images: {
      type: 'array',
      items: { type: 'string' },
      default: [
        'calico/node',
        'calico-node',
        'kube-router',
        'cilium',
        'weave-npc',
        'antrea',
        'antrea-agent-ubuntu',
        'aws-network-policy-agent',
      ],
      about: 'Images of agents that enforce network policies, as parts of their names.',
    },
    minutes: {
      type: 'integer',
      minimum: 0,
      default: 10,
      diagnosed: 1,
      about: 'How long a pod of the agent may be away.',
    },
  },
  for: 'Workload',
  check(workload, { graph, params, report }) {
    const { live } = graph
    if (!live || workload.kind !== 'DaemonSet') return
    const agent = workload.running.find(
      // Proxies and storage drivers of the same projects enforce nothing.
      ({ image }) => imageNamed(image, params.images) && !/envoy|driver|csi/.test(image ?? ''),
    )
    if (!agent) return
    const pods = presentPods(workload, live)
    const down = unreadyPods(pods, live, params.minutes * 60)
      .map(({ pod }) => pod)
      .filter((pod) => !isStranded(pod, graph, workload.object))
    if (down.length > 0) {
      const [first] = down
      report(
        workload.object,
        undefined,
        `Changes of network policies and new pods are not seen on ${down.length === 1 ? `node ${first?.spec?.nodeName}` : `${down.length} of ${pods.length} nodes`}: ${workload.name} is not ready there.`,
        {
          evidence: atMost(
            3,
            down.map((pod) => lineOf(pod, live)),
          ),
        },
      )
      return
    }
    const tag = imageParts(agent.image ?? '').tag
    const old = pods.filter((pod) => {
      const own = tagOf(pod, agent.name)
      return own !== undefined && tag !== undefined && own !== tag
    })
    if (old.length === 0 || old.length === pods.length || isRolling(pods, live)) return
    report(
      workload.object,
      undefined,
      `Network policies are enforced by two releases: ${old.length} of ${pods.length} pods of ${workload.name} ${old.length === 1 ? 'does' : 'do'} not run ${tag}.`,
      {
        evidence: atMost(3, old.map((pod) => `node ${pod.spec?.nodeName}: ${tagOf(pod, agent.name)}`).sort()),
      },
    )
  },
})

function lineOf(pod: Pod, live: Live): string {
  return `node ${pod.spec?.nodeName}: ${troubleOf(pod, live) ?? 'not ready'}, for ${formatSpan(unreadyFor(pod, live))}`
}

function tagOf({ status }: Pod, container: string): string | undefined {
  const image = status?.containerStatuses?.find(({ name }) => name === container)?.image
  return image === undefined ? undefined : imageParts(image).tag
}

/** Whether a pod was made in the last hour: the update may be on its way. */
function isRolling(pods: readonly Pod[], live: Live): boolean {
  return pods.some((pod) => ageOf(pod, live) < 3600)
}
