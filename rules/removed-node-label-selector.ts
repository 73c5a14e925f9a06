import {
  advise,
  at,
  type Graph,
  groupOf,
  isObject,
  type KubernetesObject,
  linesOf,
  type ObjectOf,
  objectAt,
  objectsAt,
  type Path,
  pendingPods,
  type RuleEdit,
  type RuleFix,
  rule,
  stringAt,
  valueAt,
} from '../src/rule.js'

type Node = ObjectOf<'Node'>

interface Renamed {
  readonly to: string
  /** The first minor version whose new nodes lack the label; undefined while nodes still get both. */
  readonly gone: number | undefined
  /** The minor version that deprecated it. */
  readonly deprecated: number
}

// kubeadm: kubernetes#107533 and #110095, KEP-2067. The others: pkg/api/node/util.go, still set by kubelet 1.37.
const renamed: ReadonlyMap<string, Renamed> = new Map([
  [
    'node-role.kubernetes.io/master',
    { to: 'node-role.kubernetes.io/control-plane', gone: 24, deprecated: 20 },
  ],
  [
    'failure-domain.beta.kubernetes.io/zone',
    { to: 'topology.kubernetes.io/zone', gone: undefined, deprecated: 17 },
  ],
  [
    'failure-domain.beta.kubernetes.io/region',
    { to: 'topology.kubernetes.io/region', gone: undefined, deprecated: 17 },
  ],
  ['beta.kubernetes.io/os', { to: 'kubernetes.io/os', gone: undefined, deprecated: 14 }],
  ['beta.kubernetes.io/arch', { to: 'kubernetes.io/arch', gone: undefined, deprecated: 14 }],
  [
    'beta.kubernetes.io/instance-type',
    { to: 'node.kubernetes.io/instance-type', gone: undefined, deprecated: 17 },
  ],
])
const names = [...renamed.keys()]
const roles = ['node-role.kubernetes.io/master', 'node-role.kubernetes.io/control-plane']

export default rule({
  title: 'A selector uses a node label that is gone or renamed',
  category: 'api-schema',
  severity: 'error',
  why: `kubeadm took the label \`node-role.kubernetes.io/master\` off control plane nodes in 1.24 and the
taint of that name in 1.25; what still selects it matches no node. For a pod that means Pending, for the
selector of a route reflector or a speaker that the network of all nodes is gone. The \`beta.kubernetes.io\`
and \`failure-domain.beta.kubernetes.io\` labels are deprecated and have successors that nodes carry beside them.`,
  remedy: 'Select the label that took its place.',
  decides: `Looks at \`nodeSelector\`, affinity terms, \`topologyKey\` and tolerations of every object, and at every
short string of any other object that is such a label or an expression with it
(\`has(node-role.kubernetes.io/master)\`), custom resources included.

An error for \`node-role.kubernetes.io/master\` from 1.24 on; a warning below, for preferences, and for tolerations
(from 1.25 on: the pod no longer runs on control plane nodes). An info for the renamed labels, which nodes still
have, and for tolerations beside objects that only managed clusters have (an API group or the pool label of EKS, GKE or AKS, a
ServiceAccount with a role of AWS or Google Cloud): there the control plane has no nodes.

In a cluster its nodes decide: silent where every control plane node has the old label (as OpenShift sets it, and
k3s did before 1.34), or none has the taint; a warning where only some of them have it; and an error for a
\`nodeSelector\` with a renamed label that no node has. Pods that wait for such a node stand below.

Exempt: selectors and tolerations that name the new label beside the old one, tolerations of a taint with a value,
which kubeadm's never had, those of pods with a \`nodeName\`, which no scheduler looks at, labels and annotations that objects
carry themselves, taints that they give to nodes (\`taints\` of kubeadm and of node pools), schemas, and text of several lines. In manifests also \`node-role.kubernetes.io/master\` beside
objects that only OpenShift has (a MachineConfig or, near by, what is in a namespace \`openshift-…\`), in a
manifest that names k3s, or with the value \`true\`, which k3s and RKE2 give it and kubeadm never did: their nodes
have the old label, or keep it when they are upgraded. So are the tolerations of a pod that selects either label with that value, and all where
a Plan upgrades k3s, whose servers have no taint of their own.`,
  falsePositives:
    'In manifests for distributions whose nodes still have the old label (OpenShift, older k3s): suppress with that reason.',
  versions:
    'Label gone from 1.24, taint from 1.25; both labels were there from 1.20 to 1.23. The renamed ones are still set by 1.37.',
  sources: [
    'kubernetes/enhancements KEP-2067, kubernetes#107533, kubernetes#110095',
    'kubernetes/pkg/api/node/util.go, GetWarningsForNodeSelector',
    'kubernetes/pkg/kubelet/kubelet_node_status.go',
    'k8s.io/cloud-provider/controllers/node/node_controller.go (zone and region, by both names)',
    'k3s-io/k3s#11117 and k3s-io/k3s#12395',
  ],
  stories: ['reddit-pi-day', 'zalando-misc-races'],
  live: true,
  for: 'Object',
  check(object, { graph, minor, reportPath }) {
    const { apiVersion = '', kind = '' } = object
    if (selectNothing.get(kind) === groupOf(apiVersion)) return
    // Parts of all the names. The text tells soonest, where there is one: that of a cluster's
    // object is not made for it.
    if (!graph.mentions(object, 'beta.kubernetes.io/') && !graph.mentions(object, 'kubernetes.io/master'))
      return
    if (!namesLabel(object)) return
    for (const use of labelsIn(object)) {
      if (isHarmless(use, object, minor)) continue
      if (use.gone !== undefined && !graph.live && isForOthers(object, use.path, graph)) continue
      const managed = use.role === 'toleration' && !graph.live ? ofManaged(graph) : undefined
      const verdict = managed ? ofNoNode(use) : verdictOn(use, graph, minor)
      if (!verdict) continue
      const { path, label, role, to } = use
      reportPath(path, verdict.message, {
        severity: verdict.severity,
        label: to,
        see: [managed && at(managed, managed, 'kind', 'of a managed cluster')],
        evidence: role === 'selector' ? waiting(object, graph) : undefined,
        onValue: path.at(-1) !== label,
        fix: fixOf(use, object, minor),
      })
    }
  },
})

/** Whether a pod still goes where it went with a toleration of the old taint, which lasts one version longer than the label. */
function isHarmless({ path, role, gone }: Use, object: object, minor: number): boolean {
  if (role !== 'toleration') return false
  return gone === undefined || minor < gone + 1 || isOfOwnTaint(object, path) || isPlaced(object, path)
}

/** Whether manifests are for a distribution that still gives its nodes the labels that kubeadm has renamed. */
function isForOthers(object: object, path: Path, graph: Graph): boolean {
  return isOfOpenShift(object, graph) || graph.mentions(object, 'k3s') || isOfRancher(object, path, graph)
}

/** Groups of what configures an OpenShift cluster. Routes and security constraints come with many an application, too. */
const openShiftGroups =
  /^(?:config|machine|machineconfiguration|(?:\w+\.)?operator|compliance|console|oauth|tuned|user)\.openshift\.io$/

function isOfOpenShift(object: object, graph: Graph): boolean {
  const isConfigured = graph.once('configuration of OpenShift', () =>
    graph.objects.some(({ apiVersion }) => openShiftGroups.test(groupOf(apiVersion ?? ''))),
  )
  const own = graph.once('objects in namespaces of OpenShift', () =>
    graph.objects.filter(({ metadata }) => metadata?.namespace?.startsWith('openshift-')),
  )
  return isConfigured || own.some((one) => graph.apart(one, object) <= 3)
}

/** Whether the label is wanted with the value that k3s and RKE2 give it: `true`, where kubeadm left it empty. */
function isOfRancher(object: object, path: Path, graph: Graph): boolean {
  const tolerations = path.indexOf('tolerations')
  if (tolerations >= 0)
    return upgradesK3s(graph) || selectsRancher(valueAt(object, ...path.slice(0, tolerations)))
  const own = valueAt(object, ...path)
  if (own === 'true') return true
  const values = path.at(-1) === 'key' ? valueAt(object, ...path.slice(0, -1), 'values') : undefined
  return Array.isArray(values) && values.length > 0 && values.every((one) => one === 'true')
}

/** Whether the input upgrades k3s by itself, with the plans of its controller: that gives its servers no taint. */
function upgradesK3s(graph: Graph): boolean {
  return graph.once('plans that upgrade k3s', () =>
    graph.objects.some(
      (one) =>
        groupOf(one.apiVersion ?? '') === 'upgrade.cattle.io' &&
        /(?:^|\/)k3s-upgrade(?:[:@]|$)/.test(stringAt(one, 'spec', 'upgrade', 'image') ?? ''),
    ),
  )
}

/** Whether a pod goes to servers of k3s or RKE2 only, by that value: they have no taint of kubeadm's. */
function selectsRancher(pod: unknown): boolean {
  const required = 'requiredDuringSchedulingIgnoredDuringExecution'
  const terms = objectsAt(objectAt(pod, 'affinity', 'nodeAffinity', required), 'nodeSelectorTerms')
  return (
    roles.some((role) => stringAt(pod, 'nodeSelector', role) === 'true') ||
    terms.some((term) =>
      objectsAt(term, 'matchExpressions').some(
        ({ key, values }) =>
          roles.some((role) => role === key) && Array.isArray(values) && values.includes('true'),
      ),
    )
  )
}

/** Whether the pod of a toleration names its node: only the scheduler minds the effect of kubeadm's taint, `NoSchedule`. */
function isPlaced(object: object, path: Path): boolean {
  const pod = path.slice(0, path.indexOf('tolerations'))
  return path.includes('tolerations') && stringAt(valueAt(object, ...pod, 'nodeName')) !== undefined
}

interface Verdict {
  readonly message: string
  readonly severity: 'error' | 'warning' | 'info'
}

function verdictOn(use: Use, graph: Graph, minor: number): Verdict | undefined {
  return graph.live ? seenVerdict(use, graph.seen('Node'), minor) : writtenVerdict(use, minor)
}

/** What the target version tells. */
function writtenVerdict({ label, role, verb, to, gone, deprecated }: Use, minor: number): Verdict {
  if (role === 'toleration')
    return {
      message: `The pod no longer runs on control plane nodes: their taint is called ${to} from 1.25 on.`,
      severity: 'warning',
    }
  if (gone === undefined)
    return {
      message: `${label} may go with a release to come: it is deprecated since 1.${deprecated}, and ${to} says the same.`,
      severity: 'info',
    }
  return minor >= gone
    ? {
        message: `This ${verb} no node from 1.${gone} on: the label is called ${to} now.`,
        severity: role === 'selector' ? 'error' : 'warning',
      }
    : {
        message: `This ${verb} no node after the upgrade to 1.${gone}: the label is called ${to} from then on.`,
        severity: 'warning',
      }
}

/** What is left to say of a toleration where the provider runs the control plane on machines of its own. */
function ofNoNode({ to }: Use): Verdict {
  return {
    message: `The pod would not run on control plane nodes, if the cluster had any: their taint is called ${to} from 1.25 on.`,
    severity: 'info',
  }
}

/** API groups that only come with a cluster of Google's or Amazon's. */
const managedGroups =
  /^(?:networking\.gke\.io|cloud\.google\.com|eks\.amazonaws\.com|eksctl\.io|vpcresources\.k8s\.aws)$/
const managedRoles = ['eks.amazonaws.com/role-arn', 'iam.gke.io/gcp-service-account']
const managedPools = [
  'eks.amazonaws.com/nodegroup',
  'cloud.google.com/gke-nodepool',
  'kubernetes.azure.com/agentpool',
]

/** The first object that tells of a cluster whose control plane its provider runs: nothing of it is a node. */
function ofManaged(graph: Graph): KubernetesObject | undefined {
  return graph.once(
    'what only managed clusters have',
    () =>
      graph.objects.find(({ apiVersion }) => managedGroups.test(groupOf(apiVersion ?? ''))) ??
      graph
        .all('ServiceAccount')
        .find(({ metadata }) => managedRoles.some((role) => metadata?.annotations?.[role] !== undefined)) ??
      graph.workloads.find(({ pod }) => managedPools.some((pool) => pod.nodeSelector?.[pool] !== undefined))
        ?.object,
  )
}

/** What the nodes of a cluster tell; undefined where all is well with them. */
function seenVerdict(use: Use, nodes: readonly Node[], minor: number): Verdict | undefined {
  const { path, label, role, verb, to, gone } = use
  const written = writtenVerdict(use, minor)
  const having = (name: string) =>
    nodes.filter(({ metadata }) => metadata?.labels?.[name] !== undefined).length
  // Without the nodes, as in a scan of one namespace, nothing is known.
  const [old, successors] = [having(label), having(to)]
  if (role === 'toleration')
    return nodes.some(({ spec }) => spec?.taints?.some(({ key }) => key === to)) ? written : undefined
  if (gone === undefined)
    return old === 0 && successors > 0 && path.at(-2) === 'nodeSelector'
      ? {
          message: `This matches no node: they have the label ${to} instead.`,
          severity: 'error',
        }
      : undefined
  // Without a successor the name is not to blame.
  if (minor < gone || (old === 0 && successors > 0)) return written
  return old < successors
    ? {
        message: `This ${verb} ${old} of ${successors} control plane nodes: the others have the label ${to} only.`,
        severity: 'warning',
      }
    : undefined
}

/** The pods that have found no node, with what the scheduler says of the selector. */
function waiting(object: KubernetesObject, graph: Graph): readonly string[] | undefined {
  const workload = graph.live && graph.workload(object)
  if (!graph.live || !workload) return undefined
  return linesOf(pendingPods(graph.live, workload).filter(({ message }) => /selector/.test(message)))
}

/** A renamed label in an object. */
interface Use extends Renamed {
  readonly path: Path
  readonly label: string
  readonly role: 'selector' | 'preference' | 'toleration'
  /** What a selector does with the nodes that have the label. */
  readonly verb: 'matches' | 'leaves out'
}

/** What objects carry or define themselves is no selector, nor are the taints that kubeadm, Karpenter or the kubelet give to nodes. */
const notSelectors = new Set([
  'labels',
  'annotations',
  'nodeLabels',
  'node-labels',
  'taints',
  'startupTaints',
  'registerWithTaints',
  'status',
  'description',
])

/** Frequent kinds in which no node is selected, with their groups: walking them would find texts at most. */
const selectNothing: ReadonlyMap<string, string> = new Map([
  ['Node', ''],
  ['CustomResourceDefinition', 'apiextensions.k8s.io'],
  ['Secret', ''],
  ['Service', ''],
  ['ServiceAccount', ''],
  ['Namespace', ''],
  ['Role', 'rbac.authorization.k8s.io'],
  ['RoleBinding', 'rbac.authorization.k8s.io'],
  ['ClusterRole', 'rbac.authorization.k8s.io'],
  ['ClusterRoleBinding', 'rbac.authorization.k8s.io'],
])

/** Whether one of the labels may stand somewhere in the value: nearly all objects need no closer look. */
function namesLabel(value: unknown): boolean {
  if (typeof value === 'string') return value.length < longestText && partsOfNames.test(value)
  if (Array.isArray(value)) return value.some(namesLabel)
  if (!isObject(value)) return false
  for (const key in value)
    if (!notSelectors.has(key) && (renamed.has(key) || namesLabel(value[key]))) return true
  return false
}

const partsOfNames = /beta\.kubernetes\.io\/|kubernetes\.io\/master/
/** Longer texts are programs and configuration files. */
const longestText = 300

function labelsIn(object: object): readonly Use[] {
  const found: Use[] = []
  const path: (string | number)[] = []
  const note = (label: string, role: Use['role']): void => {
    const change = renamed.get(label)
    if (!change) return
    const verb = isNegated(object, path) ? 'leaves out' : 'matches'
    found.push({ ...change, path: [...path], label, role, verb })
  }
  /** @param around the outermost selector that the value is in; within it the new label may stand beside the old one. */
  const look = (value: unknown, around: unknown): void => {
    if (typeof value === 'string') lookAtText(value, around)
    else if (Array.isArray(value))
      value.forEach((item, i) => {
        path.push(i)
        look(item, around)
        path.pop()
      })
    else if (isObject(value)) lookAtFields(value, around)
  }
  const lookAtText = (text: string, around: unknown): void => {
    const label = text.length < longestText ? labelOf(text) : undefined
    if (label !== undefined && !namesSuccessor(around, label))
      note(label, taint.test(text) ? 'toleration' : roleOf(path))
  }
  const lookAtFields = (fields: Readonly<Record<string, unknown>>, around: unknown): void => {
    for (const key in fields) {
      if (notSelectors.has(key)) continue
      path.push(key)
      if (!renamed.has(key)) look(fields[key], around ?? (selectors.has(key) ? fields[key] : undefined))
      else if (!namesSuccessor(fields, key)) note(key, roleOf(path))
      path.pop()
    }
  }
  look(object, undefined)
  return found
}

const selectors = new Set([
  'nodeSelector',
  'nodeSelectors',
  'nodeAffinity',
  'tolerations',
  'matchExpressions',
])

/** The label that a string is, or that an expression in it tests. */
function labelOf(text: string): string | undefined {
  if (!partsOfNames.test(text) || text.includes('\n')) return undefined
  return names.find((name) => {
    if (text === name) return true
    const at = text.indexOf(name)
    if (at < 0) return false
    const before = text.slice(0, at)
    const after = text.slice(at + name.length)
    const whole = !/[\w./-]$/.test(before) && !/^[\w./-]/.test(after)
    return (
      whole &&
      (/has\(\s*['"]?$/.test(before) ||
        /^['"]?\s*(==?|!=|in\b|not\s*in\b|exists\b)/.test(after) ||
        taint.test(text))
    )
  })
}

function namesSuccessor(around: unknown, label: string): boolean {
  const to = renamed.get(label)?.to
  return to !== undefined && ((JSON.stringify(around) ?? '').includes(`"${to}"`) || toleratesAll(around))
}

/** Whether one of the tolerations is for every taint that keeps pods from being placed: it exists, whatever its key. */
function toleratesAll(around: unknown): boolean {
  return (
    Array.isArray(around) &&
    around.some(
      (one) =>
        !stringAt(one, 'key') &&
        stringAt(one, 'operator') === 'Exists' &&
        (stringAt(one, 'effect') ?? 'NoSchedule') === 'NoSchedule',
    )
  )
}

/** A taint as text, `KEY=VALUE:NoSchedule`; captures the value. */
const taint = /^[\w./-]+(?:=([\w.-]*))?:(?:NoSchedule|PreferNoSchedule|NoExecute)$/

/** Whether it tolerates a taint with a value. kubeadm's has none: somebody has set this one, and no release takes it away. */
function isOfOwnTaint(object: object, path: Path): boolean {
  const text = valueAt(object, ...path)
  const value =
    (typeof text === 'string' && taint.exec(text)?.[1]) || stringAt(object, ...path.slice(0, -1), 'value')
  return value !== undefined && value !== ''
}

function roleOf(path: Path): Use['role'] {
  if (path.includes('tolerations')) return 'toleration'
  return path.some((step) => String(step).startsWith('preferred')) ? 'preference' : 'selector'
}

/** Whether nodes without the label are selected. */
function isNegated(object: object, path: Path): boolean {
  const value = valueAt(object, ...path)
  const operator = stringAt(object, ...path.slice(0, -1), 'operator')
  return typeof value === 'string' && path.at(-1) === 'key' && operator !== undefined
    ? operator === 'DoesNotExist' || operator === 'NotIn'
    : /!\s*has\(|!=|\bnot\s+in\b/.test(String(value))
}

function fixOf(use: Use, object: object, minor: number): RuleFix {
  return use.role === 'toleration'
    ? advise(`tolerate ${use.to} too`)
    : { title: `select ${use.to}`, safe: minor >= 20, edits: edits(use, object) }
}

function edits({ path, label, to }: Use, object: object): readonly RuleEdit[] {
  const value = valueAt(object, ...path)
  if (path.at(-1) === label) return [{ op: 'move', path, to: [...path.slice(0, -1), to] }]
  return typeof value === 'string' ? [{ op: 'set', path, value: value.replaceAll(label, to) }] : []
}
