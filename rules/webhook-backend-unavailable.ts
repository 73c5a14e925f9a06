import {
  advise,
  at,
  atMost,
  type Callout,
  calloutKinds,
  calloutsOf,
  callsOf,
  conditionOf,
  countOf,
  type Event,
  enumerate,
  type Fault,
  formatCondition,
  formatSpan,
  type Graph,
  groupBy,
  isKind,
  isOptIn,
  isReady,
  type KubernetesObject,
  type Live,
  nearestName,
  type Pod,
  presentPods,
  type RuleFix,
  rule,
  type Service,
  type ServiceReference,
  stringAt,
  timeOf,
  times,
  troubles,
  unreadyFor,
  type Webhook,
  withoutAddress,
} from '../src/rule.js'

type WebhookRule = NonNullable<Webhook['spec']['rules']>[number]

/** A place that names a Service. */
interface Client extends Callout {
  /** The mapping that names it. */
  readonly reference: ServiceReference
  /** What depends on it, for the message. */
  readonly what: string
}

/** A client whose Service is known. */
interface Pair {
  readonly client: Client
  readonly service: Service
}

export default rule({
  title: 'The service behind a webhook is absent, unreachable or alone',
  category: 'admission',
  severity: 'error',
  countsPods: true,
  why: `The API server calls the webhook on every matching write. When nobody answers, \`failurePolicy:
Fail\` refuses the write: no pod can be created, deployments and nodes can't recover, and the webhook's own
pod may be among those refused. With a single replica every node drain is such an outage.`,
  remedy:
    'Run at least two replicas of the backend with a disruption budget, and keep Service name, namespace and port right.',
  decides: `\`clientConfig.service\` of validating and mutating webhooks, \`spec.service\` of APIServices and the
conversion webhook of CustomResourceDefinitions with several versions. An error when the Service is in the input and has no such port, or
its name is missing while a nearly equal one is there. In complete input that has something of its namespace, also
when it is not there at all. A warning when a fail-closed webhook has fewer than \`minReplicas\` pods behind it; an
info where it checks nothing that a cluster needs to heal (core, \`apps\`, \`batch\`, leases), or writes its rules
when it starts.

In a cluster: an error when none of the pods behind the Service is ready (a warning with \`failurePolicy: Ignore\`),
when an APIService is not available, and when events say that the API server failed to call the webhook although its
pods are ready: a network policy, a firewall towards the nodes, or a certificate.

Exempt: \`clientConfig.url\`, webhooks with \`failurePolicy: Ignore\` (for the number of replicas), and Services
that other tools bring when the input is partial. Where the rule is asked for, an info about those that the input
does not bring, and about backends of several pods without budget, spread and priority, and a warning about those
without pods.`,
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
  for: calloutKinds,
  check(subject, { graph, params, report }) {
    // Webhooks of one configuration often share a Service: each fault is told once.
    const told = new Set<string>()
    const sound: Pair[] = []
    for (const client of clientsOf(subject)) {
      const { name, namespace, port = 443 } = client.reference
      if (!name) continue
      const service = serviceOf(graph, subject, name, namespace)
      const fault = service
        ? (troubleNow(client, service, graph) ?? wrongPort(client, service, graph))
        : absence(client, name, graph)
      const key = `${namespace}/${name}:${port}`
      if (fault && !told.has(key)) report(...fault)
      if (fault) told.add(key)
      else if (service) sound.push({ client, service })
    }
    for (const { client, service } of sound) {
      const fault = client.closed && isFirst(graph, subject, service) && unguarded(client, service, graph)
      if (fault && !told.has(service.metadata?.name ?? '')) report(...fault)
      if (fault) told.add(service.metadata?.name ?? '')
    }
    const few = tooFew(
      sound.filter(({ service }) => isFirst(graph, subject, service)),
      graph,
      params.minReplicas,
    )
    if (few) report(...few)
  },
})

/** That fewer pods answer for webhooks that fail closed than have to. */
function tooFew(sound: readonly Pair[], graph: Graph, least: number): Fault | undefined {
  const alone = sound.filter(
    ({ client, service }) => client.webhook && client.closed && isShort(service, graph, least),
  )
  const [first] = alone
  const backend = first && graph.backendsOf(first.service)[0]
  const fewest = backend && graph.fewestPods(backend)
  // Of one that is scaled to zero there is nothing to be away.
  if (!first || !backend || !fewest || fewest.pods === 0) return undefined
  const behind = alone.filter(({ service }) => service === first.service).map(({ client }) => client)
  const what = writesOf(
    behind.flatMap(rulesOf),
    behind.every(({ webhook }) => webhook && isOptIn(webhook)),
  )
  const isOne = fewest.pods === 1
  return [
    first.client.reference,
    'name',
    `${what} fail while ${isOne ? 'the only pod' : `the ${fewest.pods} pods`} of ${graph.describe(backend.object)} ${isOne ? 'is' : 'are'} away, at a drain or crash: ${behind.length > 1 ? `${behind.length} webhooks fail` : 'the webhook fails'} closed.`,
    {
      severity: behind.some(isVital) ? 'warning' : 'info',
      see: [at(fewest.of, fewest.node, fewest.field, isOne ? 'one replica' : fewest.note)],
    },
  ]
}

/** That there is no such Service, where that is certain or a slip of the pen. */
function absence(client: Client, name: string, graph: Graph): Fault | undefined {
  const { of, reference, closed } = client
  const { live } = graph
  const { namespace = '' } = reference
  const near = nearestName(
    name,
    graph
      .all('Service')
      .filter((one) => graph.namespaceOf(one) === namespace)
      .map((one) => one.metadata?.name ?? ''),
  )
  if (!near && graph.exists('Service', name, of)) return undefined
  const isCertain = near !== undefined || isWhole(namespace, graph)
  if (!isCertain && graph.complete) return undefined
  const full = `${namespace ? `${namespace}/` : ''}${name}`
  return [
    reference,
    'name',
    isCertain
      ? `${outcome(client)}: there is no Service ${full}${near ? `, but one named ${near}` : ''}.`
      : `${outcome(client)} where Service ${full} is missing: the input does not bring it.`,
    {
      severity: !isCertain ? 'info' : closed ? 'error' : 'warning',
      recommended: isCertain,
      ...(live && {
        evidence: refusedOthers(client, undefined, live),
        ...(closed &&
          !near &&
          isAllOf(client) && { fix: withoutWebhook(client, `bring Service ${full} back`) }),
      }),
    },
  ]
}

/** Whether nothing but this Service answers for the webhooks of the configuration. */
function isAllOf({ of, reference: { name, namespace }, webhook }: Client): boolean {
  const isSame = ({ reference: other }: Client) => other.name === name && other.namespace === namespace
  return webhook !== undefined && calloutsOf(of).length === clientsOf(of).filter(isSame).length
}

/** What to do while nothing answers: nobody is asked then. */
function withoutWebhook({ of: { kind = '', metadata } }: Client, remedy: string): RuleFix {
  return advise(`${remedy}, or kubectl delete ${kind.toLowerCase()} ${metadata?.name ?? ''} while it is away`)
}

/** What becomes of the requests when nobody answers. */
function outcome({ what, closed }: Client): string {
  return `${what} ${closed ? 'fail' : 'are not checked'}`
}

/** Whether the input has all of a namespace. Of those it has nothing of, and of kube-system, there is more than manifests show. */
function isWhole(namespace: string, graph: Graph): boolean {
  if (!graph.complete || graph.live) return graph.complete
  const known = graph.once('namespaces of the input', () => {
    const named = graph.all('Namespace').map(({ metadata }) => metadata?.name ?? '')
    return new Set([...named, ...graph.objects.map(graph.namespaceOf)])
  })
  return namespace !== 'kube-system' && known.has(namespace)
}

function wrongPort(client: Client, found: Service, graph: Graph): Fault | undefined {
  const { reference, closed } = client
  const { port = 443 } = reference
  const ports = (found.spec?.ports ?? []).map((one) => one.port)
  // A patch may add it.
  if (ports.length === 0 || ports.includes(port) || graph.patched(found)) return undefined
  return [
    reference,
    'port',
    `${outcome(client)}: ${graph.describe(found)} has no port ${port}, only ${ports.join(', ')}.`,
    { severity: closed ? 'error' : 'warning', see: [at(found, found.spec ?? found, 'ports')] },
  ]
}

/** Whether the Service has pods behind it, and fewer than so many. */
function isShort(service: Service, graph: Graph, least: number): boolean {
  const backends = graph.backendsOf(service)
  const pods = backends.map((workload) => graph.fewestPods(workload)?.pods ?? Number.POSITIVE_INFINITY)
  return backends.length > 0 && pods.reduce((sum, one) => sum + one, 0) < least
}

/** What other rules tell of the workload behind a webhook that fails closed, for those who ask for this one alone. */
function unguarded(client: Client, service: Service, graph: Graph): Fault | undefined {
  const [backend, ...others] = graph.backendsOf(service)
  const fewest = backend && graph.fewestPods(backend)
  if (!backend || !fewest || others.length > 0 || graph.live) return undefined
  const name = graph.describe(backend.object)
  if (fewest.pods === 0)
    return [
      client.reference,
      'name',
      `${client.what} fail: ${name}, which answers for the webhook, runs no pods.`,
      {
        severity: 'warning',
        recommended: false,
        see: [at(fewest.of, fewest.node, fewest.field)],
        symptomOf: { rules: ['service-without-ready-endpoints'], objects: [service] },
      },
    ]
  const { topologySpreadConstraints, affinity, priorityClassName } = backend.pod
  const isSpread = topologySpreadConstraints !== undefined || affinity?.podAntiAffinity !== undefined
  if (fewest.pods === 1 || isSpread || priorityClassName || graph.budgetsOf(backend).length > 0)
    return undefined
  return [
    client.reference,
    'name',
    `${client.what} fail when one drain takes all pods of ${name}: no budget, spread or priority keeps any.`,
    { severity: 'info', recommended: false, see: [at(backend, backend.pod)] },
  ]
}

/** What a cluster shows: no pod behind the Service is ready, or the API server's calls fail all the same. */
function troubleNow(client: Client, service: Service, graph: Graph): Fault | undefined {
  const { live } = graph
  // Without rules nothing is asked of it.
  if (!live || (client.webhook && rulesOf(client).length === 0) || !service.spec?.selector) return undefined
  const pods = graph.backendsOf(service).flatMap((one) => presentPods(one, live))
  if (pods.some(isReady)) return failedCalls(client, service, graph, live)
  const first = client.webhook && firstOfClosed(graph).get(service)
  return first && first.of !== client.of ? undefined : noPods(client, service, pods, graph, live)
}

/** That no pod behind the Service is ready. */
function noPods(client: Client, service: Service, pods: readonly Pod[], graph: Graph, live: Live): Fault {
  const [backend] = graph.backendsOf(service)
  const name = graph.describe(service)
  const seconds = Math.min(...pods.map((pod) => unreadyFor(pod, live)))
  const span = pods.length > 0 && seconds > 0 ? ` for ${formatSpan(seconds)}` : ''
  const none = whyNone(name, backend && graph.describe(backend.object), pods.length, span)
  // Nobody but a person gets out of that. A controller tries again within 17 minutes.
  const isLocked =
    client.closed &&
    backend !== undefined &&
    live.eventsOf(backend.object).some((one) => isFailure(one, client) && live.now - timeOf(one) < 1_200_000)
  const { kind = '', metadata } = client.of
  return [
    client.reference,
    'name',
    `${client.what} ${client.closed ? 'fail' : 'are delayed and not checked'}: ${none}${isLocked ? ', and new ones are refused for want of this webhook itself' : ''}.`,
    {
      ...(isLocked && {
        fix: advise(
          `kubectl delete ${kind.toLowerCase()} ${metadata?.name ?? ''} lets its pods start; then exclude their namespace with a namespaceSelector`,
        ),
      }),
      severity: client.closed ? 'error' : 'warning',
      evidence: [
        ...troubles(pods, live),
        ...(backend ? refusalOf(backend.object, live) : []),
        ...refusedOthers(client, backend?.object, live),
        ...callsOf(client.webhook?.name ?? '', live),
      ],
      see: backend ? [at(backend.object, backend.object, undefined, 'its backend')] : [],
    },
  ]
}

/** Why nobody answers: `the only pod of Service guard/guard has not been ready for 20 min`. */
function whyNone(service: string, backend: string | undefined, pods: number, span: string): string {
  if (pods === 0) return backend ? `${backend} runs no pods for ${service}` : `no pods are behind ${service}`
  if (pods === 1) return `the only pod of ${service} ${span ? 'has not been ready' : 'is not ready'}${span}`
  return `none of the ${pods} pods of ${service} ${span ? 'has been ready' : 'is ready'}${span}`
}

/** That the API server does not reach the Service although pods behind it are ready. */
function failedCalls(client: Client, service: Service, graph: Graph, live: Live): Fault | undefined {
  const name = graph.describe(service)
  const available = conditionOf(client.of, 'Available')
  if (available?.status === 'False')
    return [
      client.reference,
      'name',
      `${client.what} fail: the API server gets no answer from ${name}, whose pods are ready.`,
      { evidence: [formatCondition(available)] },
    ]
  const failed = live.events.filter((event) => isFailure(event, client))
  const [latest] = failed
  if (!latest) return undefined
  const count = failed.reduce((sum, event) => sum + countOf(event), 0)
  const ago = (live.now - timeOf(latest)) / 1000
  return [
    client.reference,
    'name',
    `${client.what} failed ${times(count)}, the last ${formatSpan(ago)} ago: the API server could not call ${name}, whose pods are ready.`,
    {
      severity: client.closed && ago < 900 ? 'error' : 'warning',
      evidence: [
        ...failed.slice(0, 3).map(({ involvedObject: of, message = '' }) => {
          return `${of?.kind} ${of?.namespace ?? ''}/${of?.name}: ${callError(message)}`
        }),
        ...callsOf(client.webhook?.name ?? '', live),
      ],
    },
  ]
}

/** Why its pods are not made, where nothing else is said of them. */
function refusalOf(backend: KubernetesObject, live: Live): readonly string[] {
  const event = live.eventsOf(backend).find(({ reason }) => reason === 'FailedCreate')
  const { kind, name } = event?.involvedObject ?? {}
  return event ? [`${kind} ${name} makes none: ${callError(event.message ?? 'FailedCreate')}`] : []
}

/** What else could not be written for want of the webhook: `ReplicaSet shop/web-1: refused 14 times, the last 2 min ago`. */
function refusedOthers(client: Client, backend: KubernetesObject | undefined, live: Live): readonly string[] {
  const own = new Set(backend && live.eventsOf(backend))
  const failed = live.events.filter((event) => !own.has(event) && isFailure(event, client))
  const about = groupBy(
    failed,
    ({ involvedObject: of }) => `${of?.kind} ${of?.namespace ? `${of.namespace}/` : ''}${of?.name}`,
  )
  const lines = [...about].map(([name, events]) => {
    const count = events.reduce((sum, event) => sum + countOf(event), 0)
    const last = Math.max(...events.map(timeOf))
    return `${name}: refused ${times(count)}, the last ${formatSpan((live.now - last) / 1000)} ago`
  })
  return atMost(3, lines)
}

/** Whether the event tells that the webhook could not be called; a refusal by the webhook itself is none. */
function isFailure({ message = '' }: Event, { webhook }: Client): boolean {
  return webhook !== undefined && message.includes(`failed calling webhook "${webhook.name}"`)
}

/** The end of the message, where the network's error stands, without the address that was called. */
function callError(message: string): string {
  return withoutAddress(message.slice(message.indexOf('failed calling webhook'))).slice(0, 200)
}

/**
 * One finding per backend: only on one of the webhook configurations that call it, on that for
 * built-in kinds if any is.
 */
function isFirst(graph: Graph, subject: object, service: Service): boolean {
  return firstOfClosed(graph).get(service)?.of === subject
}

function firstOfClosed(graph: Graph) {
  return graph.once('webhook-backends', () => {
    const index = new Map<Service, { readonly of: object; readonly vital: boolean }>()
    for (const one of [
      ...graph.all('ValidatingWebhookConfiguration'),
      ...graph.all('MutatingWebhookConfiguration'),
    ]) {
      for (const client of clientsOf(one)) {
        const { name, namespace } = client.reference
        const found = client.closed && name ? serviceOf(graph, one, name, namespace) : undefined
        const vital = isVital(client)
        const known = found && index.get(found)
        if (found && (!known || (vital && !known.vital))) index.set(found, { of: one, vital })
      }
    }
    return index
  })
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

function clientsOf(subject: Callout['of']): readonly Client[] {
  return calloutsOf(subject).flatMap((one) => {
    const reference = one.client.service
    return reference ? [{ ...one, reference, what: whatOf(one) }] : []
  })
}

function whatOf({ of, webhook }: Callout): string {
  if (webhook) return writesOf(webhook.spec.rules ?? [], isOptIn(webhook))
  return isKind(of, 'APIService')
    ? `Requests for ${of.spec?.version ?? ''}.${of.spec?.group ?? ''}`
    : `Reads and writes of ${stringAt(of, 'spec', 'names', 'plural') ?? 'its objects'}`
}

/** What a write is called where nothing else is asked about. */
const writeNames: ReadonlyMap<string, string> = new Map([
  ['CREATE', 'Creations'],
  ['UPDATE', 'Updates'],
  ['DELETE', 'Deletions'],
])

/** `Writes of pods`, or `Creations of pods`: what the rules of webhooks are for, in a few words. */
function writesOf(rules: readonly WebhookRule[], optIn: boolean): string {
  // Some operators write the rules when they start.
  if (rules.length === 0) return 'The writes that it checks'
  const [operation = '', ...others] = unique(rules, 'operations')
  const writes = (others.length === 0 && writeNames.get(operation)) || 'Writes'
  const names = unique(rules, 'resources')
  const groups = unique(rules, 'apiGroups')
  if (names.some((name) => name === '*' || name === '*/*')) {
    const [group = '*'] = groups
    if (groups.includes('*')) return `${writes} of all resources`
    return `${writes} of all resources of ${group || 'the core group'}${groups.length > 1 ? ' and other groups' : ''}`
  }
  // Who reads on must not miss the pods among custom resources.
  const vital = rules.filter(isVitalRule)
  const named = unique(vital, 'resources')
  if (names.length > 3 && vital.length > 0 && named.length < names.length) {
    const more = names.length - named.length
    return `${writesOf(vital, optIn)}, and writes of ${more} more ${more === 1 ? 'resource' : 'resources'},`
  }
  const shown = names.length > 3 ? [...names.slice(0, 2), `${names.length - 2} more resources`] : names
  return `${optIn ? `Some ${writes.toLowerCase()}` : writes} of ${enumerate(shown, 'and')}`
}

function rulesOf({ webhook }: Client): readonly WebhookRule[] {
  return webhook?.spec.rules ?? []
}

function unique(rules: readonly WebhookRule[], field: 'resources' | 'apiGroups' | 'operations'): string[] {
  return [...new Set(rules.flatMap((one) => one[field] ?? []))]
}

/** The groups whose writes a cluster needs to heal itself: pods and nodes, workloads, leases. */
const vitalGroups = new Set(['*', '', 'apps', 'batch', 'extensions', 'coordination.k8s.io'])

/** Whether a cluster that lost the webhook can't heal: pods are not made again, the webhook's own maybe among them. */
function isVital(client: Client): boolean {
  return rulesOf(client).some(isVitalRule)
}

function isVitalRule({ apiGroups = [] }: WebhookRule): boolean {
  return apiGroups.some((group) => vitalGroups.has(group))
}
