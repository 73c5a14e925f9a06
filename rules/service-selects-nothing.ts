import {
  ageOf,
  at,
  controllerOf,
  editDistance,
  type Fault,
  formatSpan,
  type Graph,
  inSeries,
  matchesLabels,
  nearlyMatching,
  operatorLabels,
  ownValue,
  readyIn,
  rule,
  type Service,
  set,
  stringAt,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'A Service selects no pod',
  category: 'networking',
  severity: 'error',
  why: `A Service finds its pods by labels. A selector that differs from the labels of the pod template in
one letter selects nothing: the Service exists, its name resolves, and every connection to it fails.`,
  remedy: 'Make the selector equal to labels of the pod template.',
  decides: `A Service with a selector that matches the pod labels of no workload in its namespace. Lint reports it
when a workload beside it nearly matches:

- all pairs but one are equal, and that one differs in a letter or two, or altogether where the workload is called as
  the Service is;
- the workload is called as the Service is, and has the value under another of the usual keys (\`app\`,
  \`app.kubernetes.io/name\`…);
- the workload has the labels itself, and its pods have not;
- the workload is a StatefulSet that names the Service in \`serviceName\`.

No other Service may select that workload already, unless this one is called after it (\`web-admin\`) and the label
differs in a letter or two. With \`--complete\` every Service that selects nothing is reported, save in kube-system and
where an account of the namespace may make or label pods. In a cluster it is a warning where no route or balancer
leads to the Service and no near match shows that it is a slip.

Where the rule is asked for, an info for Services of other input whose pods nothing in it makes.

In a cluster Services with a ready endpoint, whoever made it, are silent. Services that something else controls are
left alone (operators make some that are empty by design), those younger than \`minutes\`, and headless ones of
kube-system: monitoring charts make them for control planes that a provider hides.

Exempt: workloads whose labels stand beside \`labels\` or below a misspelt word, which \`misplaced-spec-field\` and \`unknown-field\` report; no selector (endpoints are made by hand), ExternalName, and labels that operators put on pods which no
manifest shows (\`operatorLabels\`); in manifests also a value of the selector that is the name of a custom resource
beside the Service, or a Subscription of OLM in its namespace: an operator makes the pods.`,
  falsePositives:
    'Pods that an operator or another repository creates: name them in `operatorLabels`, or suppress.',
  sources: ['k8s.io/api/core/v1/types.go (ServiceSpec.Selector)'],
  stories: ['machu-kube-proxy-ipvs'],
  params: {
    operatorLabels: {
      type: 'array',
      items: { type: 'string' },
      default: [...operatorLabels],
      about: 'Beginnings of label keys that operators put on pods.',
    },
    minutes: {
      type: 'integer',
      minimum: 0,
      default: 10,
      diagnosed: 0,
      about: 'How old a Service in a cluster must be: it may be applied before its pods.',
    },
  },
  for: 'Service',
  check(service, { graph, params, report, isAsked }) {
    const { spec } = service
    const selector = spec?.selector
    const pairs = Object.entries(selector ?? {})
    if (
      !spec ||
      !selector ||
      pairs.length === 0 ||
      spec.type === 'ExternalName' ||
      graph.backendsOf(service).length > 0
    )
      return
    if (pairs.some(([key]) => params.operatorLabels.some((start) => key.startsWith(start)))) return
    const near = nearMatch(service, pairs, graph)
    const isCertain =
      near !== undefined ||
      (graph.hasAllPods(selector, service) && (graph.live !== undefined || !isElsewhere(selector, graph)))
    if (!isCertain && (!isAsked || graph.complete || mayBeElsewhere(selector, service, graph))) return
    if (isExpected(service, graph, params.minutes) || readyIn(graph.live?.slicesOf(service) ?? []) > 0) return
    const entrance = graph.entranceOf(service)
    const [node, field, message, more] = near
      ? faultOfSlip(near, selector, service, graph)
      : faultOfNone(selector, isCertain, service, graph)
    report(node, field, message, {
      ...(graph.live && !near && !entrance && { severity: 'warning' }),
      ...(!isCertain && { severity: 'info' }),
      recommended: isCertain,
      evidence: evidenceOf(service, graph),
      ...more,
      see: [entrance && at(entrance.of, entrance.node, entrance.field, 'leads here'), ...(more?.see ?? [])],
    })
  },
})

/** A workload that the Service is probably for, and the first of the labels that keep it from its pods. */
interface NearMatch {
  readonly workload: Workload
  readonly key: string
  /** What the Service selects. */
  readonly value: string
  /** What the pods have. */
  readonly own: string | undefined
}

function nearMatch(service: Service, pairs: readonly Pair[], graph: Graph): NearMatch | undefined {
  for (const workload of nearlyMatching(graph.nearby(service), pairs, service.metadata?.name)) {
    const wrong = pairs.filter(([key, value]) => ownValue(workload.labels, key) !== value)
    const [[key, value] = ['', '']] = wrong
    if (
      !workload.batch &&
      isMeant(workload, wrong, service, pairs) &&
      graph.together(workload, service) &&
      (graph.servicesOf(workload).length === 0 || isSecond(service, workload, wrong, pairs))
    )
      return { workload, key, value, own: ownValue(workload.labels, key) }
  }
  return undefined
}

/** That it selects another label than the pods that it is for have. */
function faultOfSlip(
  { workload, key, value, own }: NearMatch,
  selector: object,
  service: Service,
  graph: Graph,
): Fault {
  const has = own === undefined ? 'no such label' : shownLabel(own)
  return [
    selector,
    key,
    `Every connection to ${graph.describe(service)} fails: it selects ${key}: ${shownLabel(value)}, the pods of ${workload.name} have ${has}.`,
    {
      see: [at(workload, workload.template.metadata ?? workload.template, 'labels')],
      symptomOf:
        own === undefined && hasLabelsAstray(workload, graph)
          ? { objects: [workload.object], rules: ['misplaced-spec-field', 'unknown-field'] }
          : undefined,
      fix: own === undefined ? undefined : set(selector, key, own),
    },
  ]
}

/** That there are no pods for it. */
function faultOfNone(selector: object, isCertain: boolean, service: Service, graph: Graph): Fault {
  const where = graph.live ? `namespace ${graph.namespaceOf(service)}` : graph.source
  const unless = isCertain ? '' : ' unless its pods come from elsewhere'
  return [
    selector,
    undefined,
    `Every connection to ${graph.describe(service)} fails${unless}: no pod of ${where} has the labels it selects.`,
  ]
}

/** The value of a label in a sentence: one that is empty has to be seen. */
function shownLabel(value: string): string {
  return value || '""'
}

/** Whether the labels of its pods stand beside `labels`, or that is misspelt: the other finding says so. */
function hasLabelsAstray({ object }: Workload, graph: Graph): boolean {
  return graph
    .problems(object)
    .some(({ kind, path }) => kind === 'unknown-field' && path.at(-2) === 'metadata')
}

/**
 * In a cluster: made and kept by something that knows, too young to say, or for a control plane
 * that is not to be seen.
 */
function isExpected(service: Service, { live }: Graph, minutes: number): boolean {
  const { metadata, spec } = service
  return (
    live !== undefined &&
    (ageOf(service, live) < minutes * 60 ||
      controllerOf(service) !== undefined ||
      (metadata?.namespace === 'kube-system' && spec?.clusterIP === 'None'))
  )
}

function evidenceOf(service: Service, { live }: Graph): string[] {
  if (!live) return []
  const age = ageOf(service, live)
  const address = service.status?.loadBalancer?.ingress?.map(({ hostname, ip }) => hostname ?? ip ?? '')[0]
  return [
    ...(Number.isFinite(age) ? [`made ${formatSpan(age)} ago`] : []),
    ...(address ? [`a load balancer stands at ${address}`] : []),
  ]
}

type Pair = readonly [key: string, value: string]

/** Whether the Service is for the pods of the workload, whose labels differ from its selector in the wrong pairs. */
function isMeant(
  workload: Workload,
  wrong: readonly Pair[],
  service: Service,
  pairs: readonly Pair[],
): boolean {
  const [first, ...more] = wrong
  if (!first) return false
  if (more.length === 0 && isNearly(first, workload, pairs.length)) return true
  const { labels, name } = workload.object.metadata ?? {}
  const isNamesake = name !== undefined && name === service.metadata?.name
  // One calls them by another of the usual keys.
  if (pairs.length === 1 && isNamesake && hasUnder(namingKeys, first, workload)) return true
  // No other workload of its kind is called so. Whoever elects a primary labels it while it runs.
  if (more.length === 0 && pairs.length > 1 && isNamesake && hasOther(first, workload)) return true
  // They were given to the workload and not to its pods.
  if (pairs.every(([key, value]) => ownValue(labels, key) === value)) return true
  const isGoverning =
    workload.kind === 'StatefulSet' &&
    stringAt(workload.object, 'spec', 'serviceName') === service.metadata?.name
  return isGoverning && wrong.every(([one]) => !isOfRoles(one))
}

/** Whether the Service is a second one for the workload, by its name, and writes a label with a slip: `web-admin` beside `web`. */
function isSecond(
  { metadata: { name = '' } = {} }: Service,
  workload: Workload,
  [first, ...more]: readonly Pair[],
  pairs: readonly Pair[],
): boolean {
  const isNamed = workload.name !== '' && (name === workload.name || name.startsWith(`${workload.name}-`))
  return isNamed && first !== undefined && more.length === 0 && isNearly(first, workload, pairs.length)
}

/** Whether the workload's pods have quite another value, and not that of another member of a series. */
function hasOther([key, value]: Pair, { labels }: Workload): boolean {
  const own = ownValue(labels, key)
  return own !== undefined && !isOfRoles(key) && !inSeries(own, value)
}

function isOfRoles(key: string): boolean {
  return /role|leader|primary|master/i.test(key)
}

/** The keys under which people write what an application is called. */
const namingKeys: ReadonlySet<string> = new Set([
  'app',
  'name',
  'k8s-app',
  'run',
  'service',
  'app.kubernetes.io/name',
  'app.kubernetes.io/instance',
  'app.kubernetes.io/component',
])

/** Whether the workload's pods lack the label and have its value under another one of these keys. */
function hasUnder(keys: ReadonlySet<string>, [key, value]: Pair, { labels }: Workload): boolean {
  return (
    keys.has(key) &&
    ownValue(labels, key) === undefined &&
    Object.entries(labels).some(([other, text]) => text === value && keys.has(other))
  )
}

/** The pair is a slip: the value differs by a letter or two, or the key does. */
function isNearly([key, value]: readonly [string, string], { labels }: Workload, pairs: number): boolean {
  const own = ownValue(labels, key)
  const most = value.length > 4 ? 2 : 1
  if (own !== undefined) return editDistance(own, value, most) <= most && !inSeries(own, value)
  if (pairs > 1) return false
  return Object.entries(labels).some(([name, text]) => text === value && editDistance(name, key, 2) <= 2)
}

/** Whether manifests have the pods after all: of a workload that may be meant for the same namespace. */
function isElsewhere(selector: Readonly<Record<string, string>>, { workloads }: Graph): boolean {
  return workloads.some(({ labels }) => matchesLabels(selector, labels))
}

/** Whether something in partial input tells where the pods come from. */
function mayBeElsewhere(selector: Readonly<Record<string, string>>, service: Service, graph: Graph): boolean {
  return (
    graph.namespaceOf(service) === 'kube-system' ||
    graph.mayBeOperated(selector, service) ||
    isElsewhere(selector, graph)
  )
}
