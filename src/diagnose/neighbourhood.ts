/** What an object's health may depend on: the objects around it in the graph, with the way that leads to each. */
import { askersOf } from '../graph/callout.js'
import { conditionOf } from '../graph/condition.js'
import type { Graph } from '../graph/graph.js'
import { type ContainerState, containerStates, isHeldUp } from '../graph/pod.js'
import { isRuledIn, selects, type Webhook, type WebhookConfiguration, webhooksOf } from '../graph/webhook.js'
import type { Workload } from '../graph/workload.js'
import type { KindName, KubernetesObject, Pod } from '../kubernetes.js'
import { counted } from '../values/enumerate.js'
import { countBy } from '../values/group.js'
import { objectAt, objectsAt, stringAt } from '../values/untyped.js'

export interface Neighbour {
  readonly object: KubernetesObject
  /** Steps from the object that was asked about; 0 for itself. */
  readonly steps: number
  /** How it is related to the object that led to it, `routes to {}`; empty for the object itself. */
  readonly relation: string
  /** The object that led to it. */
  readonly from: KubernetesObject | undefined
}

/** Steps that are walked: from an Ingress over a Service to its pods' nodes. */
const farthest = 3

/** The object, and all that it depends on or that depends on it, the nearest first. */
export function neighbourhood(object: KubernetesObject, graph: Graph): readonly Neighbour[] {
  const own: Neighbour = { object, steps: 0, relation: '', from: undefined }
  if (object.kind === 'Node')
    return [own, ...budgetsOn(object, graph).map((budget) => next(budget, 'limits evictions from {}', own))]
  const found = new Map([[object, own]])
  for (const one of found.values()) {
    if (one.steps === farthest) continue
    for (const [beside, relation] of relations(one.object, graph))
      if (!found.has(beside)) found.set(beside, next(beside, relation, one))
  }
  return [...found.values()]
}

function next(object: KubernetesObject, relation: string, { object: from, steps }: Neighbour): Neighbour {
  return { object, steps: steps + 1, relation, from }
}

/** What a drain of the Node has to wait for. */
function budgetsOn(node: KubernetesObject, graph: Graph): readonly KubernetesObject[] {
  const isHere = ({ spec }: Pod) => spec?.nodeName === node.metadata?.name
  return graph
    .all('PodDisruptionBudget')
    .filter((budget) => graph.guardedBy(budget).some((one) => graph.live?.podsOf(one).some(isHere)))
}

type Related = Generator<[KubernetesObject, string]>

/** From an object to those next to it. A Namespace or Node leads on to nothing: everything is in one. */
function* relations(object: KubernetesObject, graph: Graph): Related {
  const workload = graph.workload(object)
  if (workload) yield* aroundWorkload(workload, graph)
  if (object.kind === 'Node' || object.kind === 'Namespace') return
  yield* aroundKind(object, graph)
  const namespace = graph.namespaceOf(object)
  if (namespace === '') return
  for (const kind of inNamespace)
    for (const one of graph.siblings(kind, object)) yield [one, 'holds for the namespace of {}']
  const own = graph.find('Namespace', namespace, object, '')
  if (own) yield [own, 'is the namespace of {}']
}

function* aroundWorkload(workload: Workload, graph: Graph): Related {
  const { object } = workload
  for (const service of graph.servicesOf(workload)) yield [service, 'sends requests to {}']
  const scaler = graph.autoscalerOf(workload) ?? graph.scaledObjectOf(workload)
  if (scaler) yield [scaler, 'scales {}']
  for (const budget of graph.budgetsOf(workload)) yield [budget, 'limits evictions of {}']
  for (const policy of graph.policiesOf(workload)) yield [policy, 'filters traffic of {}']
  for (const { kind, name } of graph.referencesOf(workload)) {
    const config = graph.find(kind, name, object)
    if (config) yield [config, 'is needed by {}']
  }
  for (const configuration of webhookConfigurations(graph))
    if (isAskedAbout(configuration, workload, graph)) yield [configuration, 'is asked about new pods of {}']
  for (const pod of graph.live?.podsOf(workload) ?? []) {
    const node = graph.find('Node', pod.spec?.nodeName, object, '')
    if (node) yield [node, object.kind === 'Pod' ? 'runs {}' : 'runs pods of {}']
  }
}

function* aroundKind(object: KubernetesObject, graph: Graph): Related {
  switch (object.kind) {
    case 'Service':
      for (const backend of graph.backendsOf(object)) yield [backend.object, 'is behind {}']
      for (const { from } of graph.routesTo(object)) yield [from, 'routes to {}']
      for (const asker of askersOf(object, graph)) yield [asker, 'needs {}']
      break
    case 'HorizontalPodAutoscaler':
    case 'ScaledObject':
    case 'HTTPScaledObject': {
      const target = graph.targetOf(object)
      if (target) yield [target.object, 'is scaled by {}']
      break
    }
    case 'PodDisruptionBudget':
      for (const { object: guarded } of graph.guardedBy(object)) yield [guarded, 'is guarded by {}']
      break
    case 'PersistentVolumeClaim':
    case 'ConfigMap':
    case 'Secret':
      for (const user of usersOf(object, graph)) yield [user, 'needs {}']
      break
    default:
      for (const { service } of graph.backendsNamedBy(object))
        if (service) yield [service, 'gets requests from {}']
  }
}

/** The workloads that name such an object, or whose pods have a claim from their template. */
function usersOf(object: KubernetesObject, graph: Graph): readonly KubernetesObject[] {
  const name = object.metadata?.name
  // Source: kubernetes/pkg/controller/statefulset/stateful_set_utils.go (getPersistentVolumeClaimName).
  const isFromTemplate = (one: Workload) =>
    objectsAt(one.object, 'spec', 'volumeClaimTemplates').some((template) => {
      const claim = stringAt(template, 'metadata', 'name')
      return graph.live?.podsOf(one).some(({ metadata }) => name === `${claim}-${metadata?.name}`)
    })
  return graph.workloads
    .filter((one) => !one.controlled && graph.namespaceOf(one.object) === graph.namespaceOf(object))
    .filter(
      (one) =>
        graph.referencesOf(one).some((named) => named.kind === object.kind && named.name === name) ||
        (object.kind === 'PersistentVolumeClaim' && isFromTemplate(one)),
    )
    .map((one) => one.object)
}

const inNamespace: readonly KindName[] = ['ResourceQuota', 'LimitRange']

function webhookConfigurations(graph: Graph): readonly WebhookConfiguration[] {
  return [...graph.all('ValidatingWebhookConfiguration'), ...graph.all('MutatingWebhookConfiguration')]
}

function isAskedAbout(
  configuration: WebhookConfiguration,
  { object, labels }: Workload,
  graph: Graph,
): boolean {
  const namespace = graph.namespaceOf(object)
  const request = { group: '', resource: 'pods', operation: 'CREATE', namespace } as const
  return webhooksOf(configuration).some(
    (webhook) =>
      isRuledIn(webhook, request) && selects(webhook, namespace, labels, graph, configuration) !== false,
  )
}

/**
 * How an object depends on one that nothing leads to: the nodes, the webhooks that its namespace does not exclude, and what
 * runs in kube-system. Undefined when it does not.
 */
export function commonGround(
  subject: { readonly kind: string; readonly namespace: string; readonly name: string },
  object: KubernetesObject,
  graph: Graph,
): string | undefined {
  if (subject.namespace === 'kube-system' || subject.kind === 'APIService')
    return 'the whole cluster depends on it'
  if (subject.kind === 'Node') return 'is another node of the cluster'
  const configuration = webhookConfigurations(graph).find(
    ({ kind, metadata }) => kind === subject.kind && metadata?.name === subject.name,
  )
  const namespace = graph.namespaceOf(object) || undefined
  const reaches = (webhook: Webhook) => {
    const { objectSelector: _, ...spec } = webhook.spec
    return selects({ ...webhook, spec }, namespace, {}, graph, object) !== false
  }
  return configuration && webhooksOf(configuration).some(reaches)
    ? 'is asked about writes in the same namespace'
    : undefined
}

/** The pods that an object made, those behind a Service, or those on a Node. */
export function podsAbout(object: KubernetesObject, graph: Graph): readonly Pod[] {
  const { live } = graph
  if (!live) return []
  const name = object.metadata?.name
  if (object.kind === 'Node') return live.pods.filter(({ spec }) => spec?.nodeName === name)
  const workload = graph.workload(object)
  if (workload || object.kind !== 'Service') return live.podsOf(workload ?? object)
  return [...new Set(graph.backendsOf(object).flatMap((one) => live.podsOf(one)))]
}

/**
 * What is not as it should be with an object's pods, in words, the same ones together, the most frequent first; of a Node its
 * conditions before.
 */
export function symptomsOf(object: KubernetesObject, graph: Graph): string[] {
  const pods = podsAbout(object, graph)
  const ofPods = [...countBy(pods.flatMap(symptomsOfPod), (symptom) => symptom)]
    .sort(([, a], [, b]) => b - a)
    .map(([symptom, count]) => `${count} of ${counted(pods.length, 'pod')}: ${symptom}`)
  return [...conditionsOf(object), ...ofPods]
}

/** That a workload whose pods stay has none, or that a Service selects none. */
export function podlessness(object: KubernetesObject, graph: Graph): string[] {
  if (podsAbout(object, graph).length > 0) return []
  if (graph.workload(object)?.scale) return ['It has no pods.']
  const selects = object.kind === 'Service' && objectAt(object, 'spec', 'selector') !== undefined
  return selects ? ['It selects no pod that is there.'] : []
}

function symptomsOfPod(pod: Pod): string[] {
  const { status, metadata } = pod
  const found = [
    ...(metadata?.deletionTimestamp ? ['being deleted'] : []),
    ...(status?.phase === 'Failed' ? [`failed${status.reason ? `: ${status.reason}` : ''}`] : []),
    ...containerStates(pod).flatMap(symptomsOfContainer),
  ]
  if (status?.phase === 'Pending') {
    const placed = conditionOf(pod, 'PodScheduled')
    const why = placed?.status === 'False' ? placed.message : undefined
    return [...found, why ? `not scheduled: ${why}` : 'pending']
  }
  const isUnready = status?.phase === 'Running' && conditionOf(pod, 'Ready')?.status === 'False'
  return found.length === 0 && isUnready ? ['not ready'] : found
}

function symptomsOfContainer({ name, state, lastState, restartCount = 0 }: ContainerState): string[] {
  const { reason = '' } = state?.waiting ?? {}
  const ended = restartCount > 0 ? lastState?.terminated : undefined
  return [
    ...(isHeldUp(reason) ? [`container ${name} waits: ${reason}`] : []),
    ...(ended
      ? [`container ${name} ended with ${ended.exitCode}${ended.reason ? ` (${ended.reason})` : ''} before`]
      : []),
  ]
}

/** What is wrong with a Node by its own account. Source: k8s.io/api/core/v1/types.go (NodeConditionType). */
function conditionsOf(object: KubernetesObject): string[] {
  if (object.kind !== 'Node') return []
  return objectsAt(object, 'status', 'conditions').flatMap(({ type, status, message }) => {
    const good = type === 'Ready' ? 'True' : 'False'
    return status === good || status === undefined ? [] : [`${type} is ${status}: ${message}`]
  })
}
