import { grouped, rule, type Workload } from '../src/rule.js'

export default rule({
  title: 'The log agent of every node asks the API server about pods',
  category: 'observability',
  severity: 'info',
  recommended: false,
  why: `Each agent fetches or watches pod metadata from the API server. On a cluster of some hundred nodes
that is some hundred watches of all pods, or a request for each new pod, and a restart of the DaemonSet is a burst
of them that can take the API server down.`,
  remedy: 'Let the agent ask its own kubelet, or limit its watch to the pods of its node.',
  decides: `The texts of ConfigMaps are searched for

- a Fluent Bit \`kubernetes\` filter without \`Use_Kubelet On\` (in the classic form or in YAML);
- Filebeat's \`add_kubernetes_metadata\` with \`scope: cluster\`;
- fluentd's \`kubernetes_metadata\` filter that does not set \`watch false\`, and is not told its node
  (\`K8S_NODE_NAME\`);
- an OpenTelemetry \`k8sattributes\` processor without a node filter;
- Promtail or Alloy with the pod role and no field selector for the node.

Reported where a DaemonSet in the same namespace mounts the ConfigMap; where the rule is asked for, also where no
workload of the input does.`,
  falsePositives: 'On a cluster of a few dozen nodes the load does not matter.',
  sources: [
    'Fluent Bit documentation, Kubernetes filter',
    'fluent-plugin-kubernetes_metadata_filter README (watch, K8S_NODE_NAME)',
    'OpenTelemetry Collector, k8sattributesprocessor',
  ],
  stories: ['betz-log-tailing', 'openai-telemetry', 'civis-large-cluster'],
  params: {
    minNodes: {
      type: 'integer',
      minimum: 1,
      default: 100,
      about: 'Nodes from which it matters, where Nodes are known.',
    },
  },
  for: 'ConfigMap',
  check(configMap, { graph, params, report }) {
    const { data, metadata: { name = '' } = {} } = configMap
    if (!data) return
    const nodes = graph.all('Node').length
    if (nodes > 0 && nodes < params.minNodes) return
    for (const [key, text] of Object.entries(data)) {
      const agent = watcherIn(text, `${name} ${key}`)
      if (!agent) continue
      const readers = graph.workloads.filter(
        (one) =>
          graph.together(one, configMap) &&
          graph
            .referencesOf(one)
            .some((reference) => reference.kind === 'ConfigMap' && reference.name === name),
      )
      if (agent === 'fluentd' && readers.length > 0 && readers.every(knowsNode)) continue
      const mounted = readers.some(({ kind }) => kind === 'DaemonSet')
      // Read by others, it is that of an aggregator.
      if (!mounted && (graph.live || readers.length > 0)) continue
      const message = mounted
        ? burstOf(agent, nodes)
        : `${agent} asks the API server for pods: as a DaemonSet on many nodes, which ${graph.source} does not show, its restart can bring it down.`
      report(data, key, message, { recommended: mounted })
      return
    }
  },
})

/** What the agents of a DaemonSet do together, on so many nodes; 0 where they are not known. */
function burstOf(agent: string, nodes: number): string {
  return nodes > 0
    ? `${agent} asks the API server for pods from each of ${grouped(nodes)} nodes: a restart of the DaemonSet can bring it down.`
    : `${agent} on every node asks the API server for pods: with many nodes a restart of the DaemonSet can bring it down.`
}

/** Whether the filter of fluentd watches the pods of its node alone. Source: fluent-plugin-kubernetes_metadata_filter README. */
function knowsNode({ containers }: Workload): boolean {
  return containers.some(({ spec }) => spec.env?.some(({ name }) => name === 'K8S_NODE_NAME'))
}

function watcherIn(text: string, names: string): string | undefined {
  const filters = text
    .split(/^\s*\[/m)
    .filter((section) => /^FILTER\]/i.test(section) && /^\s*name\s+kubernetes\s*$/im.test(section))
  if (filters.some((section) => !/^\s*use_kubelet\s+(on|true)\s*$/im.test(section))) return 'Fluent Bit'
  const fluentd = /<filter[^>]*>\s*(?:[^<]*\n)?\s*@type\s+kubernetes_metadata\b[\s\S]*?<\/filter>/.exec(
    text,
  )?.[0]
  if (fluentd && !/^\s*watch\s+false\s*$/m.test(fluentd)) return 'fluentd'
  if (
    /^\s*k8sattributes(\/\w+)?:/m.test(text) &&
    /^\s*processors:/m.test(text) &&
    !/node_from_env_var|\bnode:/.test(text)
  )
    return 'The OpenTelemetry Collector'
  if (/^\s*-\s*name:\s*kubernetes\s*$/m.test(text) && !/^\s*use_kubelet:\s*(on|true)\s*$/im.test(text))
    return 'Fluent Bit'
  // By default only the pods of its node.
  if (/add_kubernetes_metadata:/.test(text) && /^\s*scope:\s*["']?cluster\b/m.test(text)) return 'Filebeat'
  if (/spec\.nodeName/.test(text)) return undefined
  // Prometheus writes the same, and is not on every node.
  if (
    /kubernetes_sd_configs:\s*(?:-\s*|\[\s*)\{?\s*role:\s*["']?pod\b/.test(text) &&
    (/promtail/.test(names) || /^(clients|positions):/m.test(text))
  )
    return 'Promtail'
  return /discovery\.kubernetes\s+"[^"]*"\s*\{[^}]*\brole\s*=\s*"pod"/.test(text) ? 'Alloy' : undefined
}
