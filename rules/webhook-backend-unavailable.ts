import {
  at,
  type Graph,
  isObject,
  type Node,
  nearestName,
  objectAt,
  rule,
  type Service,
  stringAt,
  valueAt,
} from '../src/rule.js'

interface Client {
  /** The mapping that names the Service. */
  readonly service: Node & {
    readonly name?: string | undefined
    readonly namespace?: string | undefined
    readonly port?: number | undefined
  }
  /** What depends on it, for the message. */
  readonly what: string
  readonly closed: boolean
}

export default rule({
  title: 'The service behind a webhook is absent, unreachable or alone',
  category: 'admission',
  severity: 'error',
  why: `The API server calls the webhook on every matching write. When nobody answers, \`failurePolicy:
Fail\` refuses the write: no pod can be created, deployments and nodes can't recover, and the webhook's own
pod may be among those refused. With a single replica every node drain is such an outage.`,
  remedy:
    'Run at least two replicas of the backend with a disruption budget, and keep Service name, namespace and port right.',
  decides: `\`clientConfig.service\` of validating and mutating webhooks, \`spec.service\` of APIServices
and the conversion webhook of CustomResourceDefinitions. An error when the Service is in the input and has
no such port, when its name is missing while a nearly equal one is there, or, in complete input, when it is
not there at all. A warning when a fail-closed webhook has fewer than \`minReplicas\` pods behind it.

Exempt: \`clientConfig.url\`, webhooks with \`failurePolicy: Ignore\` (for the number of replicas), and
Services that other tools bring when the input is partial.`,
  sources: [
    'k8s.io/api/admissionregistration/v1/types.go',
    'kubernetes/staging/src/k8s.io/kube-aggregator (availability of APIServices)',
  ],
  stories: [
    'jetstack-webhook',
    'heureka-gatekeeper',
    'dfds-kyverno-down',
    'zalando-image-policy',
    'dfds-admission-timeout',
  ],
  params: {
    minReplicas: { type: 'integer', minimum: 1, default: 2, about: 'Pods that a fail-closed webhook needs.' },
  },
  for: [
    'ValidatingWebhookConfiguration',
    'MutatingWebhookConfiguration',
    'APIService',
    'CustomResourceDefinition',
  ],
  check(subject, { graph, params, report }) {
    let alone: { readonly client: Client; readonly names: string[] } | undefined
    const seen = new Set<string>()
    for (const client of clientsOf(subject)) {
      const { name, namespace } = client.service
      if (!name) continue
      const key = `${namespace}/${name}:${client.service.port ?? 443}`
      const service = serviceOf(graph, subject, name, namespace)
      if (!service) {
        const near = nearestName(
          name,
          graph
            .all('Service')
            .filter((one) => graph.namespaceOf(one) === (namespace ?? ''))
            .map((one) => one.metadata?.name ?? ''),
        )
        if (!near && !(graph.complete && !graph.exists('Service', name, subject))) continue
        if (!seen.has(key))
          report(
            client.service,
            'name',
            `${client.what} fail: there is no Service ${namespace ? `${namespace}/` : ''}${name}${near ? `, but one named ${near}` : ''}.`,
            { severity: client.closed ? 'error' : 'warning' },
          )
        seen.add(key)
        continue
      }
      const port = client.service.port ?? 443
      const ports = service.spec?.ports ?? []
      if (ports.length > 0 && !ports.some((one) => one.port === port)) {
        if (!seen.has(key)) {
          report(
            client.service,
            'port',
            `${client.what} fail: ${graph.describe(service)} has no port ${port}, only ${ports.map((one) => one.port).join(', ')}.`,
            {
              severity: client.closed ? 'error' : 'warning',
              see: [at(service, service.spec ?? service, 'ports')],
            },
          )
        }
        seen.add(key)
        continue
      }
      if (
        !client.closed ||
        (subject.kind !== 'ValidatingWebhookConfiguration' && subject.kind !== 'MutatingWebhookConfiguration')
      )
        continue
      alone ??= { client, names: [] }
      const backends = graph.backendsOf(service)
      const pods = backends.map((workload) => graph.fewestPods(workload)?.pods ?? Number.POSITIVE_INFINITY)
      if (
        backends.length > 0 &&
        isFirst(graph, subject, service) &&
        pods.reduce((sum, one) => sum + one, 0) < params.minReplicas
      )
        alone.names.push(name)
    }
    const name = alone?.names[0]
    const service =
      name && alone ? serviceOf(graph, subject, name, alone.client.service.namespace) : undefined
    const backend = service && graph.backendsOf(service)[0]
    const fewest = backend && graph.fewestPods(backend)
    if (!alone || !backend || !fewest) return
    const count = alone.names.length
    report(
      alone.client.service,
      'name',
      `${alone.client.what} fail at every restart of ${graph.describe(backend.object)}: ${count > 1 ? `${count} webhooks fail` : 'the webhook fails'} closed with ${fewest.pods === 1 ? 'one pod' : `${fewest.pods} pods`} behind ${count > 1 ? 'them' : 'it'}.`,
      {
        severity: 'warning',
        see: [at(fewest.of, fewest.node, fewest.field, fewest.pods === 1 ? 'one replica' : undefined)],
      },
    )
  },
})

/** One finding per backend: only on the first of the webhook configurations that call it. */
function isFirst(graph: Graph, subject: object, service: Service): boolean {
  const first = graph.once('webhook-backends', () => {
    const index = new Map<Service, object>()
    for (const one of [
      ...graph.all('ValidatingWebhookConfiguration'),
      ...graph.all('MutatingWebhookConfiguration'),
    ]) {
      for (const { service: named, closed } of clientsOf(one)) {
        const found = closed && named.name ? serviceOf(graph, one, named.name, named.namespace) : undefined
        if (found && !index.has(found)) index.set(found, one)
      }
    }
    return index
  })
  return first.get(service) === subject
}

/** The Service, in its own namespace; manifests that leave the namespace to -n match any. */
function serviceOf(
  graph: Graph,
  subject: object,
  name: string,
  namespace: string | undefined,
): Service | undefined {
  return graph.find('Service', name, subject, namespace ?? '') ?? graph.find('Service', name, subject, '')
}

function clientsOf(subject: object): readonly Client[] {
  const kind = stringAt(subject, 'kind')
  if (kind === 'APIService') {
    const service = objectAt(subject, 'spec', 'service')
    return service
      ? [
          {
            service,
            what: `Requests for ${stringAt(subject, 'spec', 'version') ?? ''}.${stringAt(subject, 'spec', 'group') ?? ''}`,
            closed: true,
          },
        ]
      : []
  }
  if (kind === 'CustomResourceDefinition') {
    const service = objectAt(subject, 'spec', 'conversion', 'webhook', 'clientConfig', 'service')
    return service
      ? [
          {
            service,
            what: `Reads and writes of ${stringAt(subject, 'spec', 'names', 'plural') ?? 'its objects'}`,
            closed: true,
          },
        ]
      : []
  }
  const webhooks = valueAt(subject, 'webhooks')
  if (!Array.isArray(webhooks)) return []
  return webhooks.filter(isObject).flatMap((webhook): Client[] => {
    const service = objectAt(webhook, 'clientConfig', 'service')
    // v1 fails closed by default, v1beta1 open. Source: admissionregistration/v1/defaults.go.
    const fallback = (stringAt(subject, 'apiVersion') ?? '').endsWith('/v1') ? 'Fail' : 'Ignore'
    return service
      ? [
          {
            service,
            what: `Writes of ${resourcesOf(webhook)}`,
            closed: (stringAt(webhook, 'failurePolicy') ?? fallback) === 'Fail',
          },
        ]
      : []
  })
}

/** The resources of a webhook's rules in a few words. */
function resourcesOf(webhook: unknown): string {
  const rules = valueAt(webhook, 'rules')
  const names = Array.isArray(rules) ? rules.flatMap((one) => valueAt(one, 'resources') ?? []) : []
  const unique = [...new Set(names.filter((name) => typeof name === 'string'))]
  // Some operators write the rules when they start.
  if (unique.length === 0) return 'what it checks'
  if (unique.some((name) => name === '*' || name === '*/*')) return 'all resources'
  return unique.length > 3
    ? `${unique.slice(0, 2).join(', ')} and ${unique.length - 2} more resources`
    : unique.join(', ')
}
