import {
  absentFor,
  at,
  atMost,
  type ConfigReference,
  counted,
  countOf,
  type Fault,
  failingCalls,
  firstOf,
  formatMaker,
  type Graph,
  isReady,
  type Live,
  lastEnd,
  nearestName,
  type ObjectOf,
  objectAt,
  type Pod,
  presentPods,
  push,
  rule,
  secretMaker,
  set,
  spanSince,
  timeOf,
  variantsOf,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'A pod needs a Secret, ConfigMap, claim or account that is not there',
  category: 'config',
  severity: 'error',
  why: `The kubelet starts no container before the Secrets and ConfigMaps of all volumes exist, with the keys that they name: the
pod waits in ContainerCreating. A container whose variables name one that is missing, or a missing key, stays in
CreateContainerConfigError. A missing claim keeps the pod
Pending, a missing ServiceAccount refuses it. Running pods go on, so it shows at the next restart, when a
node is replaced or the provider of the Secret is already gone.`,
  remedy: 'Create the object, correct its name, or mark the reference as optional.',
  decides: `References of volumes, projected volumes, \`envFrom\`, \`env\`, CSI secrets, claims and ServiceAccounts
that are not \`optional\`. The name counts as present when the input has it in a namespace that may be the same,
when an object of the input creates it (ExternalSecret, SealedSecret, Certificate, SecretProviderClass, kustomize
generators and others), or when \`externals\` names it.

Lint reports a missing name when an object of that kind with a nearly equal name stands beside the workload. It
reports it in complete input, too, unless an account of the namespace may make such objects (operators and hooks
do); there all missing objects of a kind are one finding, at the first workload that needs them. With
\`partialInput\` so are those of other input, as an info.

A key that a ConfigMap or Secret of the input does not have is reported always, unless something else may fill the
object, as an operator does that an annotation of the Secret asks for keys (\`…/autogenerate: token\`), and CyberArk's Secrets
Provider where a \`conjur-map\` is among its keys, another one of its name that stands as near has the key, its file is named as an example
(\`secrets.example.yaml\`), or it stands in another folder and so do others of its name: those of other clusters.

In a cluster, what pods wait for stands below, and is reported by itself where no reference shows it, as for keys of
Secrets, whose values are not read. The stalled rollout and the Service without pods that follow from it stand below
it, too. A missing image pull secret is a warning: the kubelet goes on without it. It is an error where the registry
refuses an image for which the kubelet has missed it.`,
  falsePositives: 'Objects that operators, Terraform or people create: name them in `externals`.',
  sources: [
    'kubernetes/pkg/kubelet/kubelet_pods.go',
    'kubernetes/plugin/pkg/admission/serviceaccount/admission.go',
  ],
  stories: ['zalando-credentials-queue', 'loveholidays-gke-ips'],
  params: {
    partialInput: {
      type: 'boolean',
      default: false,
      asked: true,
      about: 'Name what the input does not have although it is not declared complete, as an info.',
    },
  },
  for: 'Workload',
  check(workload, { graph, params, report }) {
    const { live } = graph
    const waiting = live ? waitingPods(workload, live) : []
    const scene = {
      workload,
      graph,
      waiting,
      runs: live !== undefined && waiting.length === 0 && isServing(workload, live.seen),
    }
    const gaps = gapsIn(workload, graph, params.partialInput && !live)
    const told = gaps.map(({ reference }) => reference.name)
    for (const fault of [...faultsOf(gaps, scene), ...unexplained(told, scene)]) report(...fault)
  },
})

/** The workload, and its pods that wait. */
interface Scene {
  readonly workload: Workload
  readonly graph: Graph
  readonly waiting: readonly Waiting[]
  /** Whether all is well until the next pod: those that run have got what they need. */
  readonly runs: boolean
}

/** What a pod names and does not find. */
interface Gap {
  readonly reference: ConfigReference
  /** The key that the object does not have; absent where there is no object. */
  readonly key?: MissingKey | undefined
  /** An object that is called nearly the same. */
  readonly near?: string | undefined
  /** Whether it may be there all the same: the input is not all that there is. */
  readonly isOpen?: boolean
}

/** ConfigMaps that controllers keep in every namespace: of Kubernetes, OpenShift and Istio. */
const everywhere: ReadonlySet<string> = new Set([
  'kube-root-ca.crt',
  'openshift-service-ca.crt',
  'istio-ca-root-cert',
])

/** The gaps of a workload, one for each name. */
function gapsIn(workload: Workload, graph: Graph, isPartial: boolean): readonly Gap[] {
  const gaps = new Map<string, Gap>()
  for (const reference of graph.referencesOf(workload)) {
    if (reference.optional || isBuiltIn(reference, workload)) continue
    const gap = gapAt(reference, workload, graph, isPartial)
    if (!gap) continue
    const id = `${reference.kind}/${reference.name}`
    if (!gaps.has(id)) gaps.set(id, gap)
  }
  return [...gaps.values()]
}

function gapAt(
  reference: ConfigReference,
  workload: Workload,
  graph: Graph,
  isPartial: boolean,
): Gap | undefined {
  const { kind, name } = reference
  if (graph.exists(kind, name, workload.object)) {
    const key = missingKey(reference, workload, graph)
    return key && { reference, key }
  }
  // No object can be called so: the name is filled in later, or another finding says what is wrong with it.
  if (/[^a-z0-9.-]/.test(name)) return undefined
  const near = nearestName(name, graph.namesNear(kind, workload.object))
  if (near || graph.hasAll(kind, workload.object)) return { reference, near }
  return isPartial ? { reference, isOpen: true } : undefined
}

/** A finding for each gap; one for all names of a kind that are nowhere and stop the pod in the same way. */
function faultsOf(gaps: readonly Gap[], scene: Scene): readonly Fault[] {
  const faults: Fault[] = []
  const absent = new Map<string, ConfigReference[]>()
  const open = new Map<string, ConfigReference[]>()
  for (const { reference, key, near, isOpen } of gaps) {
    if (key) faults.push(keyFault(reference, key, scene))
    else if (near) faults.push(nearFault(reference, near, scene))
    else push(isOpen ? open : absent, absence(reference, scene), reference)
  }
  return [
    ...faults,
    ...[...absent].flatMap(([what, alike]) => absentFault(what, alike, scene, false)),
    ...[...open].flatMap(([what, alike]) => absentFault(what, alike, scene, true)),
  ]
}

function keyFault(reference: ConfigReference, key: MissingKey, scene: Scene): Fault {
  const { kind, name, node, field } = reference
  const but = key.near ? `, but ${key.near}` : ''
  return [
    node,
    'key' in node ? 'key' : field,
    `${startless(reference, scene)}: ${kind} ${name} has no key ${key.key}${but}.`,
    {
      see: [at(key.of, key.data)],
      evidence: evidenceFor([], linesFor(name, scene), scene),
      lacks: { name, key: key.key },
    },
  ]
}

function nearFault(reference: ConfigReference, near: string, scene: Scene): Fault {
  const { name, node, field } = reference
  const lines = linesFor(name, scene)
  return [
    node,
    field,
    `${absence(reference, scene)} ${name}, but one named ${near}.`,
    {
      severity: severityOf(reference, lines.length > 0),
      fix: set(node, field, near),
      evidence: evidenceFor([name], lines, scene),
    },
  ]
}

function absentFault(
  what: string,
  alike: readonly ConfigReference[],
  scene: Scene,
  isOpen: boolean,
): Fault[] {
  const { workload, graph } = scene
  // One object that nobody has made is one finding, at the first workload that needs it.
  const missing = alike.flatMap((reference) => {
    const [first, ...others] = graph.live ? [] : needsOf(reference, workload, graph)
    return first && first.workload !== workload ? [] : [{ reference, others }]
  })
  const [first] = missing
  if (!first) return []
  const { kind, node, field } = first.reference
  const names = missing.map(({ reference }) => reference.name)
  const lines = names.flatMap((name) => linesFor(name, scene))
  const others = [...new Map(missing.flatMap((one) => one.others).map((one) => [one.workload, one])).values()]
  const count = others.length
  const them = names.length === 1 ? 'it' : 'some of them'
  const more =
    count === 0 ? '' : `, and ${counted(count, 'more workload')} ${count === 1 ? 'needs' : 'need'} ${them}`
  return [
    [
      node,
      field,
      isOpen
        ? `${consequence(first.reference, scene, false)} unless ${elsewhere(kind, names)}: ${graph.source} does not have ${names.length === 1 ? 'it' : 'them'}${more}.`
        : `${what} ${listed(names)} in ${graph.source}${more}.`,
      {
        severity: isOpen ? 'info' : severityOf(first.reference, lines.length > 0),
        see: others
          .slice(0, 3)
          .map((one) => at(one.workload.object, one.reference.node, one.reference.field, 'needed here, too')),
        evidence: evidenceFor(names, lines, scene),
      },
    ],
  ]
}

/** A workload with the reference by which it needs an object. */
interface Need {
  readonly workload: Workload
  readonly reference: ConfigReference
}

/** The workloads that need an object in the same way, in the order of the input. */
function needsOf(reference: ConfigReference, workload: Workload, graph: Graph): readonly Need[] {
  const all = graph.once('what workloads need', () => {
    const index = new Map<string, Need[]>()
    for (const one of graph.workloads) {
      const keys = new Set<string>()
      for (const needed of graph.referencesOf(one)) {
        const key = needKey(needed, one)
        if (needed.optional || isBuiltIn(needed, one) || keys.has(key)) continue
        keys.add(key)
        push(index, key, { workload: one, reference: needed })
      }
    }
    return index
  })
  return (all.get(needKey(reference, workload)) ?? []).filter(
    (one) => one.workload === workload || graph.together(one.workload.object, workload.object),
  )
}

function needKey({ kind, name, as }: ConfigReference, { namespace }: Workload): string {
  return `${namespace}/${kind}/${name}${as === 'imagePullSecret' ? '?' : ''}`
}

/** `Pods of web wait in ContainerCreating: there is no Secret`. */
function absence(reference: ConfigReference, scene: Scene): string {
  const isWaitedFor = linesFor(reference.name, scene).length > 0
  return `${consequence(reference, scene, isWaitedFor)}: there is no ${reference.kind}`
}

/** The maker of what is absent, the pods that wait for it, and what comes of that. */
function evidenceFor(
  names: readonly string[],
  lines: readonly string[],
  { workload, graph }: Scene,
): readonly string[] | undefined {
  if (!graph.live) return undefined
  const makers = names.flatMap((name) => makerLine(name, workload, graph))
  const harm = lines.length > 0 ? harmTo(workload, graph, graph.live) : []
  return [...atMost(1, makers), ...atMost(2, lines), ...harm]
}

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

/** Whether the kubelet misses an object of that name. */
function isAbout({ message }: Waiting, name: string): boolean {
  return message.includes(`"${name}"`) || message.endsWith(`/${name}`)
}

/** The pods that wait for an object of that name, and who could not make any. */
function linesFor(name: string, scene: Scene): readonly string[] {
  return [...scene.waiting.filter((one) => isAbout(one, name)).map(lineOf), ...refusalsFor(name, scene)]
}

/** What makes pods and is refused for want of an account. Source: kubernetes/plugin/pkg/admission/serviceaccount/admission.go. */
function refusalsFor(name: string, { workload, graph }: Scene): readonly string[] {
  const live = graph.live?.seen
  const event = live
    ?.eventsOf(workload)
    .find(({ message = '' }) => message.includes(`serviceaccount "${name}" not found`))
  if (!live || !event) return []
  const { kind = '', name: maker = '' } = event.involvedObject ?? {}
  return [
    `${kind} ${maker}: refused ${counted(countOf(event), 'time')}, the last ${spanSince(timeOf(event), live)} ago`,
  ]
}

function lineOf({ pod, message }: Waiting): string {
  return `pod ${pod} waits: ${message}`
}

/** Of a Secret, what should have made it. */
function makerLine(name: string, workload: Workload, graph: Graph): string[] {
  const isSecret = graph.referencesOf(workload).some((one) => one.kind === 'Secret' && one.name === name)
  const maker = isSecret ? secretMaker(name, workload.namespace, graph) : undefined
  return maker ? [formatMaker(maker, graph)] : []
}

/** `none of 2 pods is ready: calls to Service shop/web fail`. */
function harmTo(workload: Workload, graph: Graph, live: Live): string[] {
  const pods = presentPods(workload, live)
  if (workload.batch || pods.length === 0 || pods.every(isReady)) return []
  const ready = pods.filter(isReady).length
  if (ready > 0) return [`${ready} of ${counted(pods.length, 'pod')} ${ready === 1 ? 'is' : 'are'} ready`]
  const none = pods.length === 1 ? 'its only pod is not ready' : `none of ${pods.length} pods is ready`
  const [calls] = failingCalls(workload, graph, live).said
  return [calls ? `${none}: ${calls}` : none]
}

/** What pods wait for and no gap shows: keys of Secrets, objects that were there a moment ago. */
function unexplained(told: readonly string[], scene: Scene): Fault[] {
  const { workload, graph } = scene
  const rest = scene.waiting.filter((one) => !told.some((name) => isAbout(one, name)))
  const [first] = rest
  if (!first) return []
  const pods = new Set(rest.map(({ pod }) => pod)).size
  const named = graph.referencesOf(workload).filter(({ name }) => isAbout(first, name))
  const reference =
    named.find(({ keys }) => keys.some((key) => first.message.includes(`key ${key} `))) ?? named[0]
  return [
    [
      reference?.node ?? workload.template.spec ?? workload.object,
      reference?.field,
      `${pods === 1 ? 'A pod' : `${pods} pods`} of ${workload.name} ${pods === 1 ? 'does' : 'do'} not start: ${first.message}.`,
      { evidence: evidenceFor(reference ? [reference.name] : [], rest.map(lineOf), scene) },
    ],
  ]
}

function isBuiltIn({ kind, name }: ConfigReference, workload: Workload): boolean {
  return (
    (kind === 'ServiceAccount' &&
      (name === 'default' || (workload.kind === 'DeploymentConfig' && ofProjects.includes(name)))) ||
    (kind === 'ConfigMap' && everywhere.has(name))
  )
}

/** The accounts that OpenShift makes in every project. Source: its documentation, default service accounts. */
const ofProjects: readonly string[] = ['builder', 'deployer']

/** The kubelet goes on without an image pull secret: pods wait only where the registry asks for one. */
function severityOf({ as }: ConfigReference, isWaitedFor: boolean): 'error' | 'warning' {
  return as === 'imagePullSecret' && !isWaitedFor ? 'warning' : 'error'
}

/** `Secret a comes from elsewhere`, `Secrets a and b come from elsewhere`. */
function elsewhere(kind: string, names: readonly string[]): string {
  return names.length === 1
    ? `${kind} ${names[0]} comes from elsewhere`
    : `${kind}s ${firstOf(names, 2)} come from elsewhere`
}

/** `a`, `a or b`, `a, b or 7 others`. */
function listed([first = '', second, ...others]: readonly string[]): string {
  if (second === undefined) return first
  if (others.length === 0) return `${first} or ${second}`
  return `${first}, ${second} or ${others.length === 1 ? others[0] : `${others.length} others`}`
}

const subjectOf = (reference: ConfigReference, workload: Workload) =>
  reference.container ? `Container ${reference.container}` : `The pod of ${workload.name}`

function isServing(workload: Workload, live: Live): boolean {
  const pods = presentPods(workload, live)
  return pods.length > 0 && pods.every((pod) => isReady(pod) || hasStarted(pod))
}

/** Whether the kubelet has started a container of the pod, however that went on: the volumes of the pod are there. */
function hasStarted({ status }: Pod): boolean {
  return (status?.containerStatuses ?? []).some(
    (container) => container.state?.running !== undefined || lastEnd(container) !== undefined,
  )
}

function startless(reference: ConfigReference, { workload, runs }: Scene): string {
  return `${subjectOf(reference, workload)} does not start${runs ? ' again' : ''}`
}

function consequence(reference: ConfigReference, scene: Scene, isWaitedFor: boolean): string {
  const { workload, runs } = scene
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
      return startless(reference, scene)
    default:
      return `${pods} wait in ContainerCreating`
  }
}

type Keyed = ObjectOf<'ConfigMap' | 'Secret'>

/** The fields of ConfigMaps and Secrets that have keys of their own. */
const dataFields = ['data', 'stringData', 'binaryData']

/**
 * Whether the object stands in another folder than the workload, and one of its name in a third: repositories for several
 * clusters have a folder for each, and what is missing in one may be kept out of Git.
 */
function isOfAnother(found: Keyed, { object }: Workload, graph: Graph): boolean {
  return graph.apart(found, object) > 1 && variantsOf(kindOf(found), found, graph).length > 1
}

const kindOf = ({ kind }: Keyed) => (kind === 'Secret' ? 'Secret' : 'ConfigMap')

type MissingKey = NonNullable<ReturnType<typeof missingKey>>

/** A key that is named and that the object of the input does not have, nor another one of its name which stands as near. */
function missingKey({ kind, name, keys }: ConfigReference, workload: Workload, graph: Graph) {
  if ((kind !== 'ConfigMap' && kind !== 'Secret') || keys.length === 0) return undefined
  const found = graph.isFilledElsewhere(kind, name) ? undefined : graph.find(kind, name, workload.object)
  // A patch of a kustomization may add the key.
  if (!found || graph.patched(found) || isOfAnother(found, workload, graph)) return undefined
  const own = keysOf(found, graph)
  // No key can have other characters: such a one is filled in or decrypted later.
  const lacks = (had: readonly string[]) => keys.find((one) => !had.includes(one) && /^[-.\w]+$/.test(one))
  const key = lacks(own)
  // An object without any data is a shell that somebody else fills.
  if (key === undefined || own.length === 0 || isFilledByConjur(own)) return undefined
  const farthest = graph.apart(found, workload.object)
  const isMeant = (one: Keyed) =>
    graph.apart(one, workload.object) <= farthest && lacks(keysOf(one, graph)) === undefined
  return variantsOf(kind, found, graph).some(isMeant)
    ? undefined
    : { key, near: nearestName(key, own), of: found, data: found.data ?? found }
}

/** The keys that are written; one that has a value of the wrong type is there, and a finding of its own. */
function keysOf(object: Keyed, graph: Graph): readonly string[] {
  const wrong = graph
    .problems(object)
    .flatMap(({ path: [of, key] }) =>
      dataFields.includes(String(of)) && typeof key === 'string' ? [key] : [],
    )
  const written = dataFields.flatMap((field) => Object.keys(objectAt(object, field) ?? {}))
  return [...written, ...wrong, ...generatedKeys(object)]
}

/**
 * Whether CyberArk's Secrets Provider adds keys to a Secret: those that the text under this key names. Values of Secrets are not kept here.
 * Source: cyberark/secrets-provider-for-k8s/pkg/secrets/k8s_secrets_storage/provide_conjur_secrets.go (ConjurMapKey).
 */
function isFilledByConjur(keys: readonly string[]): boolean {
  return keys.includes('conjur-map')
}

/**
 * The keys that an operator adds to a Secret which asks for them: `secret-generator.v1.mittwald.de/autogenerate: password, token`.
 * Sources: README of mittwald/kubernetes-secret-generator, README of guided-traffic/internal-secrets-operator.
 */
function generatedKeys({ metadata }: Keyed): readonly string[] {
  return Object.entries(metadata?.annotations ?? {}).flatMap(([name, keys]) =>
    /^(?:secret-generator\.v1\.mittwald\.de|iso\.gtrfc\.com)\/autogenerate$/.test(name)
      ? String(keys)
          .split(',')
          .map((key) => key.trim())
      : [],
  )
}
