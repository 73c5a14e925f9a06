/** Where pods may stand: what nodes offer and refuse, and what pods ask for. */
import type {
  Node,
  NodeSelectorTerm,
  Pod,
  PodAffinityTerm,
  PodSpec,
  TopologySpreadConstraint,
} from '../kubernetes.js'
import { exact, formatBytes, quantity } from '../values/quantity.js'
import { type Labels, matchesLabels, meets } from '../values/selector.js'
import { ownValue } from '../values/untyped.js'
import { type Container, containersOf } from './container.js'
import type { Workload } from './workload.js'

/**
 * Whether the node has what the pod's nodeSelector, required node affinity and nodeName ask for. Taints and room are
 * other questions. Source: k8s.io/component-helpers/scheduling/corev1/nodeaffinity.
 */
export function isChosen(node: Node, pod: PodSpec): boolean {
  const { name = '', labels } = node.metadata ?? {}
  if (pod.nodeName !== undefined && pod.nodeName !== name) return false
  const required = pod.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  return (
    matchesLabels(pod.nodeSelector ?? {}, labels) &&
    (!required ||
      (required.nodeSelectorTerms ?? []).some((term) =>
        matchesTerm(term, labels ?? {}, { 'metadata.name': name }),
      ))
  )
}

/**
 * Whether a pod can stand on one node alone, which it names: a label of its host or its name. To keep off a node, or to choose one of
 * several, is something else.
 */
export function isOfOneHost({ nodeName, nodeSelector, affinity }: PodSpec): boolean {
  const { nodeSelectorTerms: terms = [] } =
    affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? {}
  const hosts = new Set(terms.map(hostOf))
  return Boolean(nodeName || nodeSelector?.[hostname]) || (hosts.size === 1 && !hosts.has(undefined))
}

const hostname = 'kubernetes.io/hostname'

/** The one host that a term is for. */
function hostOf({ matchExpressions = [], matchFields = [] }: NodeSelectorTerm): string | undefined {
  const isOfHost = ({ key, operator, values = [] }: Requirement) =>
    (key === hostname || key === 'metadata.name') && operator === 'In' && values.length === 1
  return [...matchExpressions, ...matchFields].find(isOfHost)?.values?.[0]
}

/** Whether a pod takes a port of its node, which no other can have. With hostNetwork every port is one: pkg/apis/core/v1/defaults.go. */
export function takesHostPort({ pod, running }: Workload): boolean {
  return running.some(({ spec }) =>
    spec.ports?.some((port) => port.hostPort || (pod.hostNetwork && port.containerPort)),
  )
}

/** By what pods ask to stand apart from others, wishes among them. */
export function spreadTermsOf({
  affinity,
  topologySpreadConstraints = [],
}: PodSpec): readonly (PodAffinityTerm | TopologySpreadConstraint)[] {
  const {
    requiredDuringSchedulingIgnoredDuringExecution: required = [],
    preferredDuringSchedulingIgnoredDuringExecution: preferred = [],
  } = affinity?.podAntiAffinity ?? {}
  const wishes = preferred.flatMap((one) => one.podAffinityTerm ?? [])
  return [...required, ...wishes, ...topologySpreadConstraints]
}

/** The label by whose values a term keeps pods apart; a zone by its old name is the zone. */
export function topologyOf({ topologyKey = '' }: { readonly topologyKey?: string | undefined }): string {
  // Nodes with a zone have both: labelReconcileInfo, kubernetes/cloud-provider/controllers/node/node_controller.go.
  return topologyKey === 'failure-domain.beta.kubernetes.io/zone' ? zoneLabel : topologyKey
}

/** The label of nodes that tells their zone. */
export const zoneLabel = 'topology.kubernetes.io/zone'

/** A term without any requirement matches nothing. */
function matchesTerm(
  { matchExpressions = [], matchFields = [] }: NodeSelectorTerm,
  labels: Readonly<Record<string, string>>,
  fields: Readonly<Record<string, string>>,
): boolean {
  return (
    matchExpressions.length + matchFields.length > 0 &&
    matchExpressions.every((one) => meetsOfNode(one, labels)) &&
    matchFields.every((one) => meetsOfNode(one, fields))
  )
}

type Requirement = NonNullable<NodeSelectorTerm['matchExpressions']>[number]

/** Nodes are also selected by numbers. */
function meetsOfNode(requirement: Requirement, labels: Labels): boolean {
  const { key = '', operator, values = [] } = requirement
  const value = ownValue(labels, key)
  switch (operator) {
    case 'Gt':
      return value !== undefined && Number(value) > Number(values[0])
    case 'Lt':
      return value !== undefined && Number(value) < Number(values[0])
    default:
      return meets(requirement, labels)
  }
}

type Taint = NonNullable<NonNullable<Node['spec']>['taints']>[number]

/** Whether a pod tolerates whatever taints there are. */
export function toleratesAll({ tolerations = [] }: PodSpec): boolean {
  return tolerations.some(({ key, operator }) => operator === 'Exists' && !key)
}

/** The taints of the node that keep the pod away. Source: k8s.io/api/core/v1/toleration.go (ToleratesTaint). */
export function taintsAgainst(node: Node, pod: PodSpec): readonly Taint[] {
  return (node.spec?.taints ?? []).filter(
    (taint) =>
      taint.effect !== 'PreferNoSchedule' &&
      !pod.tolerations?.some(
        ({ key = '', operator = 'Equal', value = '', effect = '' }) =>
          (effect === '' || effect === taint.effect) &&
          (key === '' ? operator === 'Exists' : key === taint.key) &&
          (operator === 'Exists' || value === (taint.value ?? '')),
      ),
  )
}

/**
 * Whether a taint tells a passing state of its node (cordoned, not ready, short of memory)
 * rather than whom it is for.
 */
function isPassing({ key = '' }: Taint): boolean {
  return (
    key.startsWith('node.kubernetes.io/') ||
    key.startsWith('node.cloudprovider.kubernetes.io/') ||
    /^(ToBeDeletedByClusterAutoscaler|DeletionCandidateOfClusterAutoscaler|karpenter\.sh\/(disrupted|disruption|unregistered))$/.test(
      key,
    )
  )
}

/**
 * Whether the pod may stand on the node when all is well with it: its labels, and the taints that say whom it is for.
 */
export function isFor(node: Node, pod: PodSpec): boolean {
  return isChosen(node, pod) && taintsAgainst(node, pod).every(isPassing)
}

/** What a container asks for: its limit where it has no request. In cores, bytes or pieces. */
export function requested({ spec }: Container, resource: string): number {
  return (
    quantity(ownValue(spec.resources?.requests, resource) ?? ownValue(spec.resources?.limits, resource)) ?? 0
  )
}

/** Amounts of what nodes run out of first. */
export interface Compute {
  /** Cores. */
  readonly cpu: number
  /** Bytes. */
  readonly memory: number
}

/** `0.5 CPU and 2 GiB`; empty for none. */
export function formatCompute({ cpu, memory }: Compute): string {
  return [cpu > 0 ? `${Number(cpu.toFixed(3))} CPU` : '', memory > 0 ? formatBytes(memory) : '']
    .filter((text) => text)
    .join(' and ')
}

/** What the scheduler counts for a pod that is there: its own requests, which admission may have changed. */
export function requestOfPod({ spec = {} }: Pod, resource: string): number {
  return requestOf({ pod: spec, containers: containersOf(spec) }, resource)
}

/**
 * What the scheduler counts for one pod: what runs in the end, or an init container with the sidecars before it. A limit of the pod stands
 * in for its request where no container asks for anything. Sources: k8s.io/component-helpers/resource (PodRequests,
 * AggregateContainerRequests), kubernetes/pkg/apis/core/v1/defaults.go (defaultPodRequests).
 */
export function requestOf(
  { pod, containers }: Pick<Workload, 'pod' | 'containers'>,
  resource: string,
): number {
  const own = quantity(ownValue(pod.resources?.requests, resource))
  const overhead = quantity(ownValue(pod.overhead, resource)) ?? 0
  if (own !== undefined) return exact(own + overhead)
  const asked = inOnePod(containers, (one) => requested(one, resource))
  return exact((asked > 0 ? asked : (quantity(ownValue(pod.resources?.limits, resource)) ?? 0)) + overhead)
}

/** What the limits of one pod come to, as a quota counts them. Source: k8s.io/component-helpers/resource (PodLimits). */
export function limitOf({ pod, containers }: Pick<Workload, 'pod' | 'containers'>, resource: string): number {
  const limit =
    quantity(ownValue(pod.resources?.limits, resource)) ??
    inOnePod(containers, ({ spec }) => quantity(ownValue(spec.resources?.limits, resource)) ?? 0)
  return limit === 0 ? 0 : exact(limit + (quantity(ownValue(pod.overhead, resource)) ?? 0))
}

/** What the containers of a pod have together: those that run, or an init container with the sidecars before it. */
export function inOnePod(containers: readonly Container[], amountOf: (one: Container) => number): number {
  const sums = { ordinary: 0, sidecar: 0 }
  let init = 0
  for (const one of containers)
    if (one.role === 'init') init = Math.max(init, sums.sidecar + amountOf(one))
    else sums[one.role] += amountOf(one)
  return Math.max(sums.ordinary + sums.sidecar, init)
}
