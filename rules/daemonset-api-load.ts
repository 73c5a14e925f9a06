import {
  accountOf,
  at,
  enumerate,
  type Graph,
  imageNamed,
  type ObjectOf,
  push,
  rule,
  rulesOf,
  type Workload,
} from '../src/rule.js'

type Binding = ObjectOf<'ClusterRoleBinding'>

export default rule({
  title: 'An agent on every node may list what all nodes have',
  category: 'control-plane',
  severity: 'warning',
  recommended: false,
  why: `Each pod of such a DaemonSet lists and watches objects of the whole cluster, most of them for other
nodes. The load is nodes times objects: nothing in staging, and on a large cluster a rollout of the agent is
enough to take the API server down, as all pods list everything at once.`,
  remedy:
    'Let the agent ask its kubelet or filter by `spec.nodeName`, or collect once for the cluster; give it a FlowSchema whose priority level has little concurrency.',
  decides: `A DaemonSet, or another workload of more than \`minPods\` pods, whose containers don't learn the name of
their node (\`fieldRef: spec.nodeName\`), without which they can't filter by it. A ClusterRoleBinding binds its
ServiceAccount to a ClusterRole of the input (or cluster-admin, admin, edit or view) with \`list\` or \`watch\` on
\`resources\` of the core group, discovery.k8s.io or events.k8s.io. An info for pods, endpoints and nodes; a warning
for events, secrets, config maps and everything. In a cluster only from \`minNodes\` on, and an error with ten times
as many.

Exempt are \`images\`: network plugins, ingress controllers and the like that need the whole picture.`,
  falsePositives: 'Agents that use the permission seldom: what they do is not in the manifest.',
  sources: [
    'k8s.io/client-go/informers (one watch for each informer and process)',
    'Kubernetes documentation, API Priority and Fairness',
  ],
  stories: [
    'openai-telemetry',
    'civis-large-cluster',
    'datadog-10-ways',
    'swade-sso-authrequests',
    'betz-log-tailing',
  ],
  params: {
    minNodes: {
      type: 'integer',
      minimum: 1,
      default: 100,
      about: 'Nodes from which it matters, where they are known.',
    },
    minPods: {
      type: 'integer',
      minimum: 1,
      default: 50,
      about: 'Pods above which other workloads are looked at, too.',
    },
    resources: {
      type: 'array',
      items: { type: 'string' },
      default: ['pods', 'endpoints', 'endpointslices', 'nodes', 'events', 'configmaps', 'secrets'],
      about: 'Resources of which there are many.',
    },
    images: {
      type: 'array',
      items: { type: 'string' },
      default: [
        'calico',
        'cilium',
        'antrea',
        'flannel',
        'kube-router',
        'kube-proxy',
        'kube-ovn',
        'weave-kube',
        'multus-cni',
        'node-problem-detector',
        'metallb',
        'speaker',
        'aws-node',
        'amazon-k8s-cni',
        'skipper',
        'ingress-nginx/controller',
        'library/traefik',
        'traefik/traefik',
      ],
      about: 'Parts of image names of agents that need it.',
    },
  },
  for: 'Workload',
  check(workload, { graph, params, report }) {
    const nodes = graph.all('Node').length
    const isAgent = workload.kind === 'DaemonSet'
    const pods = isAgent || workload.batch ? 0 : (graph.fewestPods(workload)?.pods ?? 0)
    if (isAgent ? graph.live && nodes < params.minNodes : pods <= params.minPods) return
    if (workload.running.some(({ image }) => imageNamed(image, params.images)) || knowsItsNode(workload))
      return
    const grant = grantOf(workload, params.resources, graph)
    if (!grant) return
    const { binding, role, names, rule } = grant
    const isHeavy = names.some((name) => weightOf(name) < weights.length)
    const agents = `pods on ${nodes > 0 && graph.live ? `${nodes} nodes` : 'all nodes'}`
    report(
      workload.pod,
      'serviceAccountName',
      `A rollout of ${workload.name} may overload the API server: its ${isAgent ? agents : `${pods} pods`} may each list ${heaviestOf(names)} of the cluster.`,
      {
        severity: graph.live && nodes >= 10 * params.minNodes ? 'error' : isHeavy ? 'warning' : 'info',
        see: [
          role?.rules?.includes(rule) ? at(role, rule, 'resources') : undefined,
          at(binding, binding, 'roleRef'),
        ],
      },
    )
  },
})

/** The first binding that lets the workload list what there is much of, with its role, where the input has it, and the role's rule. */
function grantOf(workload: Workload, resources: readonly string[], graph: Graph) {
  for (const binding of bindingsOf(accountOf(workload.pod), workload, graph)) {
    const role = graph.find('ClusterRole', binding.roleRef?.name, binding, '')
    const rules = role ? rulesOf(role, graph) : (defaultRoles.get(binding.roleRef?.name ?? '') ?? [])
    const listed = listedBy(rules, resources)
    if (listed) return { binding, role, ...listed }
  }
  return undefined
}

/** The two resources that cost most, and how many more there are. */
function heaviestOf(names: readonly string[]): string {
  if (names.includes('*')) return 'everything'
  const [first = '', second, ...rest] = [...names].sort((a, b) => weightOf(a) - weightOf(b))
  const shown = [
    first,
    ...(second ? [second] : []),
    ...(rest.length > 0 ? [`${rest.length} more kinds`] : []),
  ]
  return `all ${enumerate(shown, 'and')}`
}

/** What is costly to list, the costliest first. */
const weights = ['*', 'events', 'secrets', 'configmaps']

/** The place of a resource among those that are costly to list; the others come last. */
function weightOf(resource: string): number {
  const index = weights.indexOf(resource)
  return index < 0 ? weights.length : index
}

/** Whether a container is told the name of its node. */
function knowsItsNode({ containers }: Workload): boolean {
  return containers.some(({ spec }) =>
    spec.env?.some((one) => one.valueFrom?.fieldRef?.fieldPath === 'spec.nodeName'),
  )
}

/** The bindings of the account, by the name of its namespace; manifests often leave it out. */
function bindingsOf(account: string, workload: Workload, graph: Graph): readonly Binding[] {
  const index = graph.once('daemonset-api-load', () => {
    const found = new Map<string, Binding[]>()
    for (const binding of graph.all('ClusterRoleBinding'))
      for (const { kind, name = '', namespace = '' } of binding.subjects ?? [])
        if (kind === 'ServiceAccount') push(found, `${namespace}/${name}`, binding)
    return found
  })
  const bindings = index.get(`${workload.namespace}/${account}`) ?? []
  return graph.live ? bindings : bindings.filter((one) => graph.apart(one, workload.object) <= 3)
}

/** The API groups of what there is much of in every cluster; `*` is all groups. */
const groups = ['', 'discovery.k8s.io', 'events.k8s.io', '*']

type Rules = NonNullable<ObjectOf<'ClusterRole'>['rules']>

/** What the roles that every cluster has let somebody list. Source: kubernetes/plugin/pkg/auth/authorizer/rbac/bootstrappolicy. */
const defaultRoles: ReadonlyMap<string, Rules> = new Map([
  ['cluster-admin', [{ resources: ['*'], verbs: ['*'] }]],
  ['admin', [{ resources: ['configmaps', 'endpoints', 'events', 'pods', 'secrets'], verbs: ['list'] }]],
  ['edit', [{ resources: ['configmaps', 'endpoints', 'events', 'pods', 'secrets'], verbs: ['list'] }]],
  ['view', [{ resources: ['configmaps', 'endpoints', 'events', 'pods'], verbs: ['list'] }]],
])

/** What rules let their holder list or watch in all namespaces, with the first that says so. */
function listedBy(rules: Rules, resources: readonly string[]) {
  const wide = rules.filter(
    ({ apiGroups = ['*'], verbs = [], resourceNames }) =>
      !resourceNames?.length &&
      // A resource of the same name in another group, such as the nodes of metrics.k8s.io, is another one.
      apiGroups.some((group) => groups.includes(group)) &&
      verbs.some((verb) => verb === 'list' || verb === 'watch' || verb === '*'),
  )
  const names = new Set<string>()
  for (const one of wide)
    for (const name of one.resources ?? []) if (name === '*' || resources.includes(name)) names.add(name)
  const rule = wide.find((one) => one.resources?.some((name) => names.has(name)))
  return rule ? { names: [...names].sort(), rule } : undefined
}
