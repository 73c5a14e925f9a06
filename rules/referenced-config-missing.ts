import {
  absentFor,
  at,
  atMost,
  type ConfigReference,
  type Context,
  counted,
  failingCalls,
  formatMaker,
  type Graph,
  isGone,
  isReady,
  type Live,
  nearestName,
  push,
  rule,
  secretMaker,
  set,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'A pod needs a Secret, ConfigMap, claim or account that is not there',
  category: 'config',
  severity: 'error',
  why: `The kubelet starts no container before all Secrets and ConfigMaps exist that the pod names: it waits
in ContainerCreating, or in CreateContainerConfigError for a missing key. A missing claim keeps the pod
Pending, a missing ServiceAccount refuses it. Running pods go on, so it shows at the next restart, when a
node is replaced or the provider of the Secret is already gone.`,
  remedy: 'Create the object, correct its name, or mark the reference as optional.',
  decides: `References of volumes, projected volumes, \`envFrom\`, \`env\`, CSI secrets, claims and
ServiceAccounts that are not \`optional\`. The name counts as present when the input has it in a namespace
that may be the same, when an object of the input creates it (ExternalSecret, SealedSecret, Certificate,
SecretProviderClass, kustomize generators and others), or when \`externals\` names it.

Lint reports a missing name when an object of that kind with a nearly equal name stands beside the workload,
and in complete input, where all missing objects of a kind are one finding. A key that a ConfigMap or Secret of the input does not have is reported always,
unless something else may fill the object. In a cluster, what pods wait for stands below, and is reported
by itself where no reference shows it, as for keys of Secrets, whose values are not read. The stalled rollout and
the Service without pods that follow from it stand below it, too. A missing image pull secret is a warning: the
kubelet goes on without it. It is an error where the registry refuses an image for which the kubelet has missed it.`,
  falsePositives: 'Objects that operators, Terraform or people create: name them in `externals`.',
  sources: [
    'kubernetes/pkg/kubelet/kubelet_pods.go',
    'kubernetes/plugin/pkg/admission/serviceaccount/admission.go',
  ],
  stories: ['zalando-credentials-queue', 'loveholidays-gke-ips'],
  for: 'Workload',
  check(workload, { graph, report }) {
    const { live } = graph
    /** The maker of what is absent, the pods that wait for it, and what comes of that. */
    const evidence = (names: readonly string[], lines: readonly string[]) =>
      live && [
        ...atMost(
          1,
          names.flatMap((name) => makerLine(name, workload, graph)),
        ),
        ...atMost(2, lines),
        ...(lines.length > 0 ? harmTo(workload, graph, live) : []),
      ]
    const waiting = live ? waitingPods(workload, live) : []
    const runs = live !== undefined && isServing(workload, live.seen)
    const seen = new Set<string>()
    /** Names that a finding is about. */
    const told = new Set<string>()
    const absent = new Map<string, ConfigReference[]>()
    for (const reference of graph.referencesOf(workload)) {
      const { kind, name, node, field } = reference
      const key = `${kind}/${name}`
      if (reference.optional || seen.has(key) || isBuiltIn(reference)) continue
      if (graph.exists(kind, name, workload.object)) {
        const missing = missingKey(reference, workload, graph)
        if (!missing) continue
        report(
          node,
          'key' in node ? 'key' : field,
          `${subjectOf(reference, workload)} does not start${runs ? ' again' : ''}: ${kind} ${name} has no key ${missing.key}${missing.near ? `, but ${missing.near}` : ''}.`,
          { see: [at(missing.of, missing.data)], evidence: evidence([], linesFor(name, waiting)) },
        )
        seen.add(key)
        told.add(name)
        continue
      }
      // No object can be called so: the name is filled in later, or another finding says what is wrong with it.
      if (/[^a-z0-9.-]/.test(name)) continue
      const near = nearestName(name, graph.namesNear(kind, workload.object))
      if (!near && !graph.complete) continue
      seen.add(key)
      told.add(name)
      const lines = linesFor(name, waiting)
      const what = consequence(reference, workload, lines.length > 0, runs)
      if (near)
        report(node, field, `${what}: there is no ${kind} ${name}, but one named ${near}.`, {
          severity: severityOf(reference, lines.length > 0),
          fix: set(node, field, near),
          evidence: evidence([name], lines),
        })
      else push(absent, `${what}: there is no ${kind}`, reference)
    }
    for (const [what, alike] of absent) {
      const [first] = alike
      const lines = alike.flatMap(({ name }) => linesFor(name, waiting))
      if (first)
        report(
          first.node,
          first.field,
          `${what} ${listed(alike.map(({ name }) => name))} in ${graph.source}.`,
          {
            severity: severityOf(first, lines.length > 0),
            evidence: evidence(
              alike.map(({ name }) => name),
              lines,
            ),
          },
        )
    }
    reportWaiting(workload, waiting, told, graph, report, evidence)
  },
})

interface Waiting {
  readonly pod: string
  /** What the kubelet says: `secret "db" not found`. */
  readonly message: string
}

/** The pods of a workload that wait for their configuration, with the kubelet's words. */
function waitingPods(workload: Workload, live: Live): readonly Waiting[] {
  return live
    .troubledPodsOf(workload)
    .flatMap((pod) => absentFor(pod, live).map((message) => ({ pod: pod.metadata?.name ?? '', message })))
}

/** The pods that wait for an object of that name. */
function linesFor(name: string, waiting: readonly Waiting[]): readonly string[] {
  const own = waiting.filter(({ message }) => message.includes(`"${name}"`) || message.endsWith(`/${name}`))
  return own.map(({ pod, message }) => `pod ${pod} waits: ${message}`)
}

/** Of a Secret, what should have made it. */
function makerLine(name: string, workload: Workload, graph: Graph): string[] {
  const isSecret = graph.referencesOf(workload).some((one) => one.kind === 'Secret' && one.name === name)
  const maker = isSecret ? secretMaker(name, workload.namespace, graph) : undefined
  return maker ? [formatMaker(maker, graph)] : []
}

/** `none of 2 pods is ready: calls of Service shop/web fail`. */
function harmTo(workload: Workload, graph: Graph, live: Live): string[] {
  const pods = live.podsOf(workload).filter((pod) => !isGone(pod))
  if (workload.batch || pods.length === 0 || pods.every(isReady)) return []
  const ready = pods.filter(isReady).length
  if (ready > 0) return [`${ready} of ${counted(pods.length, 'pod')} ${ready === 1 ? 'is' : 'are'} ready`]
  const none = pods.length === 1 ? 'its only pod is not ready' : `none of ${pods.length} pods is ready`
  const [calls] = failingCalls(workload, graph, live)
  return [calls ? `${none}: ${calls}` : none]
}

/** Reports what pods wait for and no reference shows: keys of Secrets, objects that were there a moment ago. */
function reportWaiting(
  workload: Workload,
  waiting: readonly Waiting[],
  told: ReadonlySet<string>,
  graph: Graph,
  report: Context<Record<never, never>>['report'],
  evidence: (names: readonly string[], lines: readonly string[]) => readonly string[] | undefined,
): void {
  const rest = waiting.filter(
    ({ message }) => ![...told].some((name) => message.includes(`"${name}"`) || message.endsWith(`/${name}`)),
  )
  const [first] = rest
  if (!first) return
  const pods = new Set(rest.map(({ pod }) => pod)).size
  const named = graph
    .referencesOf(workload)
    .filter(({ name }) => first.message.includes(`"${name}"`) || first.message.endsWith(`/${name}`))
  const reference =
    named.find(({ keys }) => keys.some((key) => first.message.includes(`key ${key} `))) ?? named[0]
  const lines = rest.map(({ pod, message }) => `pod ${pod} waits: ${message}`)
  report(
    reference?.node ?? workload.template.spec ?? workload.object,
    reference?.field,
    `${pods === 1 ? 'A pod' : `${pods} pods`} of ${workload.name} ${pods === 1 ? 'does' : 'do'} not start: ${first.message}.`,
    { evidence: evidence(reference ? [reference.name] : [], lines) },
  )
}

function isBuiltIn({ kind, name }: ConfigReference): boolean {
  return (
    (kind === 'ServiceAccount' && name === 'default') || (kind === 'ConfigMap' && name === 'kube-root-ca.crt')
  )
}

/** The kubelet goes on without an image pull secret: pods wait only where the registry asks for one. */
function severityOf({ as }: ConfigReference, isWaitedFor: boolean): 'error' | 'warning' {
  return as === 'imagePullSecret' && !isWaitedFor ? 'warning' : 'error'
}

/** `a`, `a or b`, `a, b or 7 others`. */
function listed([first = '', second, ...others]: readonly string[]): string {
  if (second === undefined) return first
  if (others.length === 0) return `${first} or ${second}`
  return `${first}, ${second} or ${others.length === 1 ? others[0] : `${others.length} others`}`
}

const subjectOf = (reference: ConfigReference, workload: Workload) =>
  reference.container ? `Container ${reference.container}` : `The pod of ${workload.name}`

/** Whether all is well until the next pod: those that run have got what they need. */
function isServing(workload: Workload, live: Live): boolean {
  const pods = live.podsOf(workload).filter((pod) => !isGone(pod))
  return pods.length > 0 && pods.every(isReady)
}

function consequence(
  reference: ConfigReference,
  workload: Workload,
  isWaitedFor: boolean,
  runs: boolean,
): string {
  const pods = `${runs ? 'New pods' : 'Pods'} of ${workload.name}`
  switch (reference.as) {
    case 'claim':
      return `${pods} stay Pending`
    case 'serviceAccount':
      return `${pods} are refused`
    case 'imagePullSecret':
      return `Pods of ${workload.name} ${isWaitedFor ? 'do' : 'may'} not get their image`
    case 'env':
    case 'envFrom':
      return `${subjectOf(reference, workload)} does not start${runs ? ' again' : ''}`
    default:
      return `${pods} wait in ContainerCreating`
  }
}

/** A key that is named and that the object of the input does not have. */
function missingKey({ kind, name, keys }: ConfigReference, workload: Workload, graph: Graph) {
  if ((kind !== 'ConfigMap' && kind !== 'Secret') || keys.length === 0) return undefined
  const found = graph.isFilledElsewhere(kind, name) ? undefined : graph.find(kind, name, workload.object)
  if (!found) return undefined
  const data = {
    ...found.data,
    ...('stringData' in found ? found.stringData : {}),
    ...('binaryData' in found ? found.binaryData : {}),
  }
  const own = Object.keys(data)
  const key = keys.find((one) => !own.includes(one))
  // An object without any data is a shell that somebody else fills.
  return key === undefined || own.length === 0
    ? undefined
    : { key, near: nearestName(key, own), of: found, data: found.data ?? found }
}
