/** Admission webhooks: which requests the API server asks them about, and whether it goes on without them. */
import {
  groupOf,
  type KubernetesObject,
  type MutatingWebhookConfiguration,
  type ValidatingWebhookConfiguration,
  versionOf,
} from '../kubernetes.js'
import { grouped } from '../values/enumerate.js'
import { type Labels, matchesSelector } from '../values/selector.js'
import { ownValue } from '../values/untyped.js'
import { customDefinition } from './definition.js'
import type { Graph } from './graph.js'
import type { Live } from './live.js'

/** Both kinds have the same shape, as far as rules ask. */
export type WebhookConfiguration = ValidatingWebhookConfiguration | MutatingWebhookConfiguration
type Spec = NonNullable<ValidatingWebhookConfiguration['webhooks']>[number]

/** An admission webhook with its defaults filled in. */
export interface Webhook {
  /** The item of `webhooks`. */
  readonly spec: Spec
  readonly name: string
  /** The write is refused when nobody answers. */
  readonly closed: boolean
  /** How long a write waits for an answer, in seconds. */
  readonly timeout: number
}

/** A request of the API: `pods` and `nodes/status` with their group and operation. */
export interface Request {
  readonly group: string
  /** The plural, with a subresource after a slash. */
  readonly resource: string
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT'
  /** Undefined for resources without a namespace. */
  readonly namespace: string | undefined
}

/**
 * The webhooks of a configuration with the defaults of its version: `v1` fails closed after
 * 10 s, `v1beta1` open after 30 s.
 * Source: kubernetes/pkg/apis/admissionregistration/{v1,v1beta1}/defaults.go.
 */
export function webhooksOf({ apiVersion, webhooks }: WebhookConfiguration): readonly Webhook[] {
  const isOld = (apiVersion ?? '').endsWith('/v1beta1')
  return (webhooks ?? []).map((spec) => ({
    spec,
    name: spec.name ?? '',
    closed: (spec.failurePolicy ?? (isOld ? 'Ignore' : 'Fail')) === 'Fail',
    timeout: spec.timeoutSeconds ?? (isOld ? 30 : 10),
  }))
}

/**
 * Whether a rule of the webhook names the request. `*` means all resources without their subresources, `*` + `/*` all
 * of both. Source: k8s.io/apiserver/pkg/admission/plugin/webhook/predicates/rules/rules.go.
 */
export function isRuledIn({ spec }: Webhook, { group, resource, operation, namespace }: Request): boolean {
  const [plural = '', subresource = ''] = resource.split('/')
  const named = (items: readonly string[] | undefined, one: string) =>
    (items ?? []).some((item) => item === '*' || item === one)
  return (spec.rules ?? []).some(
    (rule) =>
      (rule.scope ?? '*') !== (namespace === undefined ? 'Namespaced' : 'Cluster') &&
      named(rule.operations, operation) &&
      named(rule.apiGroups, group) &&
      (rule.resources ?? []).some((item) => {
        const [name = '', below = ''] = item.split('/')
        return (name === '*' || name === plural) && (below === '*' || below === subresource)
      }),
  )
}

/**
 * Whether a webhook of the input may fill in fields of a custom object: it is asked about the objects of its group by name, before the API
 * server compares them with their schema. Those that are asked about everything have no such defaults.
 * Source: Kubernetes documentation, Admission Control in Kubernetes (phases); k8s.io/apiserver/pkg/endpoints/handlers/create.go.
 */
export function mayFillIn({ apiVersion = '', kind = '' }: KubernetesObject, graph: Graph): boolean {
  const [group, version] = [groupOf(apiVersion), versionOf(apiVersion)]
  const webhooks = group === '' ? [] : graph.all('MutatingWebhookConfiguration').flatMap(webhooksOf)
  if (webhooks.length === 0) return false
  const plural = customDefinition(graph, apiVersion, kind)?.spec?.names?.plural
  return webhooks.some(({ spec }) =>
    (spec.rules ?? []).some(
      ({ apiGroups = [], apiVersions = [], resources = [] }) =>
        apiGroups.includes(group) &&
        (apiVersions.includes('*') || apiVersions.includes(version)) &&
        resources.some((one) => one === '*' || one === plural),
    ),
  )
}

/** Whether the webhook is called only for objects that carry a label, or in namespaces that do. */
export function isOptIn({ spec }: Webhook): boolean {
  return [spec.objectSelector, spec.namespaceSelector].some(
    (selector) =>
      Object.keys(selector?.matchLabels ?? {}).length > 0 ||
      (selector?.matchExpressions ?? []).some(({ operator }) => operator === 'In' || operator === 'Exists'),
  )
}

/**
 * Whether the webhook is called for objects with these labels in a namespace; undefined when that can't be told: the
 * selector asks for a label that nobody has shown, or there are conditions in CEL.
 */
export function selects(
  { spec }: Webhook,
  namespace: string | undefined,
  labels: Labels,
  graph: Graph,
  near: object,
): boolean | undefined {
  if (spec.objectSelector && !matchesSelector(spec.objectSelector, labels)) return false
  const { namespaceSelector } = spec
  if (namespaceSelector && namespace !== undefined) {
    const found = graph.find('Namespace', namespace, near, '')
    // The API server gives every namespace this label. Source: k8s.io/api/core/v1/well_known_labels.go.
    const have: Labels = { ...found?.metadata?.labels, 'kubernetes.io/metadata.name': namespace }
    if (!matchesSelector(namespaceSelector, have)) return false
    const keys = [
      ...Object.keys(namespaceSelector.matchLabels ?? {}),
      ...(namespaceSelector.matchExpressions ?? []).map(({ key }) => key ?? ''),
    ]
    // A label that the input does not show may be there; one that it shows is.
    if (!graph.complete && keys.some((key) => ownValue(have, key) === undefined)) return undefined
  }
  return (spec.matchConditions ?? []).length > 0 ? undefined : true
}

/** What the API server has counted of the calls of a webhook since it started. */
export function callCounts(name: string, live: Live) {
  const metric = 'apiserver_admission_webhook'
  const sum = (rest: string) =>
    live
      .samplesOf(`${metric}_${rest}`)
      .filter(({ labels }) => labels.name === name)
      .reduce((total, { value }) => total + value, 0)
  const calls = sum('admission_duration_seconds_count')
  return {
    calls,
    /** Of these took longer than a second. */
    slow: calls - sum('admission_duration_seconds_bucket'),
    refused: sum('rejection_count'),
    passed: sum('fail_open_count'),
  }
}

/**
 * What the API server has counted of the calls of webhooks of a name, in a line for the evidence of a finding; none
 * where nothing is amiss or known. Source: k8s.io/apiserver/pkg/admission/metrics/metrics.go.
 */
export function callsOf(name: string, live: Live | undefined): readonly string[] {
  if (!live) return []
  const { calls, slow, refused, passed } = callCounts(name, live)
  const parts = [
    slow > 0 && calls > 0 ? `${grouped(slow)} of ${grouped(calls)} calls took longer than 1 s` : '',
    refused > 0 ? `${grouped(refused)} writes failed with it` : '',
    passed > 0 ? `${grouped(passed)} writes passed without it` : '',
  ].filter((part) => part !== '')
  return parts.length === 0 ? [] : [`since the API server started ${parts.join(', ')}`]
}
