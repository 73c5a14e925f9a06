import {
  advise,
  at,
  type Graph,
  nearestName,
  rule,
  type Service,
  type Sight,
  type StatefulSet,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: "Names of a StatefulSet's pods do not resolve",
  category: 'dns',
  severity: 'error',
  why: `A pod of a StatefulSet has a name of its own in DNS, \`web-0.web\`, below one Service alone: the one that
\`serviceName\` names. The controller writes that name into the pod's \`subdomain\`, and an endpoint gets the pod's
\`hostname\` only where the two are equal and the Service selects the pod. Below every other Service, however well it
selects, the answer is NXDOMAIN: members do not find each other, and clients not the one that they want.`,
  remedy: 'Set `serviceName` to the Service by which the pods are called.',
  decides: `A name of one of the pods stands in an environment variable, a command or arguments of a workload, or in
a ConfigMap, of the same namespace: \`web-0.web\`, with the namespace and \`svc\` behind it or without. Objects
other than the StatefulSet count when they name its first pod, \`web-0\`. In the StatefulSet's own containers
\`$(POD_NAME).web\` and \`\${HOSTNAME}.web\` count, too. Reported when the Service in it

- is not the one in \`serviceName\`, but selects the pods, or is nearly written like it;
- is the one in \`serviceName\`, and does not select the pods; or is not there, in a complete input (\`--complete\`,
  \`scan\`).

A name in a path, as that of a node in ZooKeeper, is no name that somebody resolves. A Service that exists under the
pod's own name, in a namespace that is called like the Service, makes it another name. That \`serviceName\` names a
Service which is not headless, or none, is not reported by itself: CoreDNS answers for pods of the former, and of
the latter many a StatefulSet never needs the names.`,
  falsePositives:
    'A DNS server that names endpoints by their pods in every Service (`endpoint_pod_names` of CoreDNS, off by default).',
  sources: [
    'kubernetes/pkg/controller/statefulset/stateful_set_utils.go (initIdentity)',
    'k8s.io/endpointslice/util/controller_utils.go (ShouldSetHostname)',
    'coredns/plugin/kubernetes/kubernetes.go (findServices, endpointHostname)',
  ],
  stories: [],
  for: 'StatefulSet',
  check(set, { graph, report }) {
    const workload = graph.workload(set)
    const { name } = set.metadata ?? {}
    if (!workload || !set.spec || !name) return
    for (const use of usesOf(name, workload, graph)) {
      const why = whyUnknown(use, set, workload, graph)
      if (!why) continue
      const { serviceName } = set.spec
      report(set.spec, 'serviceName', `${use.name} does not resolve: ${why.text}.`, {
        see: [use.sight, why.own && at(why.own, why.own.spec ?? why.own, 'selector')],
        symptomOf: why.own && { rules: ['service-selects-nothing'], objects: [why.own] },
        fix: advise(
          use.service === serviceName
            ? `a Service ${serviceName} that selects the pods of ${name}`
            : `serviceName: ${use.service}, which takes a new StatefulSet: the field never changes`,
        ),
      })
      return
    }
  },
})

/** A name of a pod that somebody uses. */
interface Use {
  /** As it is written: `web-0.web.shop.svc`. */
  readonly name: string
  readonly service: string
  readonly sight: Sight
}

/** How the workloads and ConfigMaps beside a StatefulSet call its pods. */
function* usesOf(name: string, workload: Workload, graph: Graph): Generator<Use> {
  const { object } = workload
  // No pod has another name, and no part of it means something in the pattern.
  if (!/^[a-z0-9.-]+$/.test(name)) return
  const pod = `${name.replaceAll('.', '\\.')}-\\d+`
  const called = patternOf(pod)
  for (const other of graph.nearby(object)) {
    const isOwn = other === workload
    if (!isOwn && (!mayCall(other.object, name, graph) || !graph.together(other.object, object))) continue
    const pattern = isOwn ? patternOf(pod, ...variablesOf(workload)) : called
    for (const { text, sight } of textsIn(other)) yield* namesIn(text, pattern, workload, sight)
  }
  for (const map of graph.siblings('ConfigMap', object)) {
    if (!map.data || !mayCall(map, name, graph)) continue
    for (const [key, text] of Object.entries(map.data))
      yield* namesIn(text, called, workload, at(map, map.data, key))
  }
}

/** What the containers of a workload are told: their variables, and the words that they are run with. */
function* textsIn({
  object,
  containers,
}: Workload): Generator<{ readonly text: string; readonly sight: Sight }> {
  for (const { spec } of containers) {
    for (const one of spec.env ?? []) yield { text: one.value ?? '', sight: at(object, one, 'value') }
    for (const words of [spec.command ?? [], spec.args ?? []])
      for (const [i, text] of words.entries()) yield { text, sight: at(object, words, i) }
  }
}

/** Quick: whoever lists the pods begins with the first one, and most objects name no first pod at all. */
function mayCall(object: object, name: string, graph: Graph): boolean {
  return graph.mentions(object, '-0.') && graph.mentions(object, `${name}-0.`)
}

/** Expressions for the variables that hold the pod's name; the runtime sets that of the host, which is called like the pod. */
function variablesOf({ containers }: Workload): string[] {
  const named = containers
    .flatMap(({ spec }) => spec.env ?? [])
    .filter(({ valueFrom }) => valueFrom?.fieldRef?.fieldPath === 'metadata.name')
    .map(({ name = '' }) => name)
  return ['HOSTNAME', ...named].filter((one) => /^\w+$/.test(one)).map((one) => `\\$[({]?${one}[)}]?`)
}

const label = '[a-z0-9](?:[a-z0-9-]*[a-z0-9])?'

/** Matches a pod, called in one of the ways, below a Service, alone or with a namespace and the domain behind it. */
function patternOf(...pods: readonly string[]): RegExp {
  const domain = '\\.svc(?:\\.[a-z0-9.-]*[a-z0-9])?'
  return new RegExp(
    `(?<![\\w.-]|(?<!/)/)(?:${pods.join('|')})\\.(${label})(?:\\.(${label})(?:${domain})?)?(?![\\w-]|\\.[\\w-])`,
    'g',
  )
}

/** The names in a text that are of the workload's namespace. */
function* namesIn(text: string, pattern: RegExp, { namespace }: Workload, sight: Sight): Generator<Use> {
  if (!text.includes('.')) return
  for (const [name, service = '', own] of text.matchAll(pattern))
    if (own === undefined || own === namespace || namespace === '') yield { name, service, sight }
}

/** Why the pods have no names below a Service, half a sentence; undefined where they have, or may have. */
function whyUnknown(
  { name: called, service }: Use,
  set: StatefulSet,
  workload: Workload,
  graph: Graph,
): { readonly text: string; readonly own?: Service } | undefined {
  const { name } = workload
  if (isAnotherName(called, service, workload, graph)) return undefined
  const governing = set.spec?.serviceName ?? ''
  if (service !== governing) {
    const selects = graph.servicesOf(workload).some(({ metadata }) => metadata?.name === service)
    const isSlip = nearestName(service, [governing]) !== undefined && !graph.exists('Service', service, set)
    if (!selects && !isSlip) return undefined
    return {
      text: governing
        ? `the pods of ${name} have their names below Service ${governing}, as serviceName says`
        : `${name} has no serviceName, and its pods no names`,
    }
  }
  const own = graph.find('Service', service, set)
  if (!own)
    return graph.complete && !graph.exists('Service', service, set)
      ? { text: `there is no Service ${service} in ${graph.source}` }
      : undefined
  // The endpoints of a Service without a selector are made by others.
  const isKnown = own.spec?.selector && own.spec.type !== 'ExternalName' && !graph.kustomized(own)
  return isKnown && !graph.servicesOf(workload).includes(own)
    ? { text: `Service ${service} does not select the pods of ${name}`, own }
    : undefined
}

/** Whether what is called may be a Service with the pod's name in a namespace with the Service's. */
function isAnotherName(
  called: string,
  service: string,
  { name, namespace }: Workload,
  graph: Graph,
): boolean {
  if (!graph.complete && service === namespace) return true
  const [first = ''] = called.split('.')
  const isPod = (one = '') => (first.startsWith('$') ? one.startsWith(`${name}-`) : one === first)
  return graph
    .all('Service')
    .some(({ metadata }) => isPod(metadata?.name) && /-\d+$/.test(metadata?.name ?? ''))
}
