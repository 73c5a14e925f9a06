import {
  enumerate,
  firstOf,
  formatSpan,
  groupBy,
  kubeletMinor,
  type Live,
  nodesBy,
  type ObjectOf,
  poolLabels,
  rule,
} from '../src/rule.js'

type Node = ObjectOf<'Node'>

export default rule({
  title: 'The nodes of a pool have stopped between two versions',
  category: 'control-plane',
  severity: 'info',
  why: `A mixture of versions is what nobody has tested: pods behave differently by the node that they are on,
and each new node is one of the new kind. An upgrade that stopped usually waits for something: a disruption
budget that never allows a drain, a pod that does not end, a machine that can't be made.`,
  remedy: 'Find out what the upgrade waits for, then finish it or roll it back.',
  decides: `Nodes of one pool (the labels of Karpenter, EKS, GKE, AKS and kops; all worker nodes where none has one)
whose kubelets have different minor versions, while the first node of the newest version is older than \`hours\`,
and so is one of the others. Different patch versions and images are ordinary where nodes are replaced one by one:
where the rule is asked for, pools that have run them side by side for as long are listed, too.`,
  falsePositives:
    'Nodes that are upgraded in place keep their age: an upgrade of today then looks like an old one.',
  sources: ['k8s.io/api/core/v1/types.go (NodeSystemInfo)'],
  stories: ['zalando-upgrade-5xx', 'machu-kube-proxy-ipvs', 'betz-gke-upgrade'],
  needs: 'cluster',
  params: {
    hours: { type: 'integer', minimum: 1, default: 24, about: 'How long the upgrade of a pool may take.' },
  },
  for: 'Node',
  check(node, { graph, params, report }) {
    const { live } = graph
    const pool = poolOf(node)
    const info = node.status?.nodeInfo
    if (!live || !info || pool === undefined) return
    const { alike, minors } = graph
      .once('versions of pools', () => versionsOf(graph.all('Node')))
      .get(pool) ?? { alike: [], minors: [] }
    const newest = minors.at(-1)
    if (minors.length < 2) {
      const mixture = alike[0] === node ? mixtureOf(alike, live) : undefined
      if (mixture && mixture.age >= params.hours * 3600)
        report(
          info,
          mixture.field,
          `Pods may behave differently by the node they are on: ${pool ? `pool ${pool}` : 'the nodes'} ${pool ? 'has' : 'have'} run ${enumerate([...mixture.nodes.keys()], 'and')} side by side for ${formatSpan(mixture.age)}.`,
          {
            recommended: false,
            onValue: true,
            evidence: [...mixture.nodes].map(([value, names]) => `${value}: ${firstOf(names.sort())}`),
          },
        )
      return
    }
    const old = alike.filter((one) => kubeletMinor(one) !== newest)
    const names = old.map(({ metadata }) => metadata?.name ?? '').sort()
    if (names[0] !== node.metadata?.name) return
    const upgraded = alike.filter((one) => kubeletMinor(one) === newest)
    const age = Math.min(ageOf(upgraded, live), ageOf(old, live))
    if (age < params.hours * 3600) return
    report(
      info,
      'kubeletVersion',
      `Pods behave differently by the node they are on: ${pool ? `pool ${pool}` : 'the nodes'} ${pool ? 'has' : 'have'} run ${minors.map((one) => `1.${one}`).join(' and ')} side by side for ${formatSpan(age)}.`,
      { evidence: [`${old.length} of ${alike.length} nodes are not upgraded: ${firstOf(names)}`] },
    )
  },
})

/**
 * The pool of a node, empty for workers without one; undefined for machines of the control
 * plane, which are upgraded apart.
 */
function poolOf({ metadata }: Node): string | undefined {
  const labels = metadata?.labels ?? {}
  const pool = poolLabels.map((label) => labels[label]).find((value) => value !== undefined)
  return pool ?? ('node-role.kubernetes.io/control-plane' in labels ? undefined : '')
}

/** The nodes of each pool, and their minor versions in order. */
function versionsOf(nodes: readonly Node[]) {
  return new Map(
    [...nodesBy(nodes, poolOf)].map(([first, alike]) => {
      const minors = [...new Set(alike.flatMap((one) => kubeletMinor(one) ?? []))].sort((a, b) => a - b)
      return [poolOf(first), { alike, minors }]
    }),
  )
}

/** What a node tells about its image, from what changes most. */
const fields = ['kubeletVersion', 'osImage', 'containerRuntimeVersion', 'kernelVersion'] as const

/** The first field in which nodes differ, and for how long in seconds: since the last of its values came. */
function mixtureOf(alike: readonly Node[], live: Live) {
  for (const field of fields) {
    const groups = groupBy(alike, ({ status }) => status?.nodeInfo?.[field] || undefined)
    if (groups.size < 2) continue
    const nodes = new Map(
      [...groups].map(([value, some]) => [value, some.map(({ metadata }) => metadata?.name ?? '')]),
    )
    return { field, nodes, age: Math.min(...[...groups.values()].map((some) => ageOf(some, live))) }
  }
  return undefined
}

/** The age of the oldest of some nodes, in seconds. */
function ageOf(nodes: readonly Node[], { now }: Live): number {
  return Math.max(
    0,
    ...nodes.map(({ metadata }) => (now - Date.parse(metadata?.creationTimestamp ?? '')) / 1000 || 0),
  )
}
