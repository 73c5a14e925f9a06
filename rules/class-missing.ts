import {
  type Context,
  countOf,
  type Graph,
  isKind,
  isWorkload,
  type KubernetesObject,
  type Live,
  nearestName,
  objectAt,
  objectsAt,
  presentPods,
  rule,
  set,
  stringAt,
  times,
  type Workload,
} from '../src/rule.js'

type ClassKind = 'IngressClass' | 'PriorityClass' | 'StorageClass' | 'node.k8s.io/RuntimeClass'

/** Those that every cluster has. Source: kubernetes/pkg/apis/scheduling/types.go. */
const builtIn: Readonly<Record<ClassKind, readonly string[]>> = {
  IngressClass: [],
  PriorityClass: ['system-cluster-critical', 'system-node-critical'],
  StorageClass: [],
  'node.k8s.io/RuntimeClass': [],
}

/** What the API server says of a pod that it refuses for its class, by the field that names it. Sources: see `sources`. */
const refusal = {
  priorityClassName: 'no PriorityClass with name',
  runtimeClassName: 'pod rejected: RuntimeClass ',
}

export default rule({
  title: 'A PriorityClass, RuntimeClass, StorageClass or IngressClass that is named does not exist',
  category: 'config',
  severity: 'error',
  why: `Each of these names fails in its own silent way. The API server refuses every pod whose PriorityClass or RuntimeClass is
not there, while the Deployment is applied without an error. A claim with an unknown StorageClass stays Pending, and its pod with it. An Ingress
with an unknown IngressClass is served by nobody.`,
  remedy: 'Correct the name, or create the class.',
  decides: `\`priorityClassName\` and \`runtimeClassName\` of pods, \`storageClassName\` of claims, of the templates of claims and of ephemeral volumes, and
\`ingressClassName\`.

In manifests, as classes come with the platform, only a name that is nearly that of a class of the input, or of a PriorityClass that every
cluster has (\`system-cluster-critical\`), and that no class of the input nor \`externals\` has. In a cluster every name that is not there: a
warning where pods of the workload run, which had the class when they were made. Claims are reported while they are Pending, and Ingresses
without an address.

Exempt: claims for a PersistentVolume that has the same class name, which need no class.`,
  falsePositives:
    'Controllers that take an Ingress by the name of its class alone, and give it no address: name the class in `externals`.',
  sources: [
    'kubernetes/plugin/pkg/admission/priority/admission.go',
    'kubernetes/plugin/pkg/admission/runtimeclass/admission.go',
    'kubernetes/pkg/controller/volume/persistentvolume/pv_controller.go',
    'k8s.io/api/networking/v1/types.go (IngressSpec.IngressClassName)',
  ],
  stories: [],
  for: ['Workload', 'PersistentVolumeClaim', 'Ingress'],
  check(subject, context) {
    const { graph } = context
    if (isWorkload(subject)) {
      const { pod, name, kind, object, scale } = subject
      // A Pod that is there was let in, and nobody makes it anew.
      if (graph.live && (kind === 'Pod' || scale?.replicas === 0)) return
      const runs = graph.live !== undefined && presentPods(subject, graph.live).length > 0
      const refused = runs
        ? `The next pod of ${name} is refused`
        : kind === 'Pod'
          ? `Pod ${name} is refused`
          : `No pod of ${name} is made`
      const tellOfPods = (of: ClassKind, field: keyof typeof refusal) => {
        const evidence = graph.live ? refusals(subject, graph.live, refusal[field]) : []
        tell(context, of, pod, field, refused, object, { runs, evidence })
      }
      tellOfPods('PriorityClass', 'priorityClassName')
      tellOfPods('node.k8s.io/RuntimeClass', 'runtimeClassName')
      if (graph.live) return
      for (const claim of objectsAt(object, 'spec', 'volumeClaimTemplates'))
        tellOfClaim(
          context,
          objectAt(claim, 'spec'),
          `Claims ${stringAt(claim, 'metadata', 'name')} of ${name} stay`,
          object,
        )
      for (const { name: volume, ephemeral } of pod.volumes ?? [])
        tellOfClaim(
          context,
          ephemeral?.volumeClaimTemplate?.spec,
          `Claims for volume ${volume} of ${name} stay`,
          object,
        )
    } else if (isKind(subject, 'Ingress')) {
      const { spec, status, metadata } = subject
      if (graph.live && (status?.loadBalancer?.ingress ?? []).length > 0) return
      tell(
        context,
        'IngressClass',
        spec,
        'ingressClassName',
        `Nobody serves Ingress ${metadata?.name ?? ''}`,
        subject,
      )
    } else {
      const { spec, status, metadata } = subject
      if (graph.live && status?.phase !== 'Pending') return
      tellOfClaim(context, spec, `Claim ${metadata?.name ?? ''} stays`, subject, saidOf(subject, graph.live))
    }
  },
})

type Of = Pick<Context<Record<never, never>>, 'graph' | 'report'>

function tellOfClaim(
  context: Of,
  spec: object | undefined,
  stays: string,
  near: object,
  evidence: readonly string[] = [],
): void {
  const name = stringAt(spec, 'storageClassName')
  if (!name || stringAt(spec, 'volumeName') !== undefined || classesOfVolumes(context.graph).has(name)) return
  tell(context, 'StorageClass', spec, 'storageClassName', `${stays} Pending`, near, { evidence })
}

/** What PersistentVolumes that somebody makes by hand have for a class, which no StorageClass needs to be there for. */
function classesOfVolumes(graph: Graph): ReadonlySet<string> {
  return graph.once(
    'classes of volumes',
    () => new Set(graph.all('PersistentVolume').flatMap(({ spec }) => spec?.storageClassName ?? [])),
  )
}

/** Reports a class that is not there, or was probably meant to be another one. */
function tell(
  { graph, report }: Of,
  kind: ClassKind,
  node: object | undefined,
  field: string,
  outcome: string,
  near: object,
  { runs = false, evidence = [] }: { readonly runs?: boolean; readonly evidence?: readonly string[] } = {},
): void {
  const name = stringAt(node, field)
  if (!node || !name || builtIn[kind].includes(name)) return
  const meant = nearestName(name, namesOf(kind, graph))
  if ((!meant && !graph.live) || graph.exists(kind, name, near, '')) return
  report(node, field, `${outcome}: there is no ${kindOf(kind)} ${name}.`, {
    severity: runs && evidence.length === 0 ? 'warning' : 'error',
    evidence,
    onValue: true,
    label: meant && `did you mean ${meant}?`,
    fix: meant ? set(node, field, meant) : undefined,
  })
}

/** What was said of a claim, the newest event. */
function saidOf(claim: KubernetesObject, live: Live | undefined): readonly string[] {
  const event = live?.eventsOf(claim).find(({ message }) => message)
  return event ? [`${event.reason} ${times(countOf(event))}: ${event.message}`] : []
}

/** What the API server has said when it refused a pod for its class: the newest event. */
function refusals(workload: Workload, live: Live, said: string): readonly string[] {
  const event = live
    .eventsOf(workload)
    .find(({ reason, message = '' }) => reason === 'FailedCreate' && message.includes(said))
  return event ? [`FailedCreate ${times(countOf(event))}: ${event.message}`] : []
}

/** `RuntimeClass`, without its group. */
function kindOf(kind: ClassKind): string {
  return kind.slice(kind.indexOf('/') + 1)
}

function namesOf(kind: ClassKind, graph: Graph): readonly string[] {
  return graph.once(`names of ${kind}`, () => [
    ...builtIn[kind],
    ...graph.all(kind).flatMap(({ metadata }) => metadata?.name ?? []),
  ])
}
