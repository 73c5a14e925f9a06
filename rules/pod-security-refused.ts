import {
  advise,
  at,
  counted,
  countOf,
  type Enforced,
  type Event,
  enforcedBy,
  enforceLabel,
  enumerate,
  type Graph,
  groupOf,
  isNamespaceOf,
  isObject,
  type ObjectOf,
  presentPods,
  type RuleEdit,
  type RuleFix,
  rule,
  type SecurityFault,
  securityFaults,
  times,
  valueAt,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'A namespace refuses the pods of a workload',
  category: 'admission',
  severity: 'error',
  why: `A Deployment that breaks the policy of its namespace is applied without an error: only its pods are refused,
one after the other, and nothing is Pending or crashes. \`FailedCreate\` events of the ReplicaSet tell. Where the label came
after the workload its pods run on, until a rollout, a drain or a crash of the node takes them.`,
  remedy: 'Give the pod what the policy demands, or the namespace another level.',
  decides: `The label \`${enforceLabel}\` of the Namespace, \`baseline\` or \`restricted\` (with \`enforce-version\`,
else in the target version), is compared with the pod template as the API server does it: all checks of the Pod Security Standards, for all
containers but ephemeral ones. One finding for a workload, at the first of what is refused; the others stand below.

Needs the Namespace in the input, the nearest one of its name, which no kustomization patches. \`warn\` and \`audit\` refuse nothing, and what the API server enforces in
namespaces without a label is not known here.

In a cluster an error where no pod is there, or an event says that one was refused; a warning where pods run that the namespace would refuse now.
What is merely missing counts there when such an event tells that nobody adds it.

Not reported: what is merely missing (\`runAsNonRoot\`, \`seccompProfile\`, \`allowPrivilegeEscalation: false\`, \`drop: [ALL]\`) where
somebody may add it to pods: on OpenShift, and beside policies of Kyverno, Gatekeeper or the API server that change objects.`,
  falsePositives: 'Users, runtime classes and namespaces that the configuration of the API server exempts.',
  versions: 'From 1.23 on (beta), 1.25 (stable). Each check has the versions of the policy.',
  sources: [
    'k8s.io/pod-security-admission/policy and api/helpers.go',
    'kubernetes documentation, Pod Security Standards',
  ],
  stories: [],
  for: 'Workload',
  check(workload, { graph, minor, report }) {
    if (minor < 23 || !isAnyEnforced(graph, minor)) return
    const { name, kind, object } = workload
    // A Pod that is there was let in, and nobody makes it anew.
    if (graph.live && kind === 'Pod') return
    const [namespace, ...others] = namespacesOf(workload, graph)
    const enforced = namespace && enforcedBy(namespace, minor)
    // In the build that patches it, it may enforce another level.
    if (!namespace || !enforced || graph.patched(namespace)) return
    const event = refusalOf(workload, graph)
    const faults = faultsOf(workload, enforced, graph, event !== undefined)
    const [first, ...more] = faults
    // Of namesakes that are equally near one may be the other cluster's.
    if (!first || others.some((one) => !refuses(one, workload, graph, minor))) return
    if (graph.live && !event && workload.scale?.replicas === 0) return
    const runs = graph.live !== undefined && presentPods(workload, graph.live).length > 0
    const who = runs
      ? `The next pod of ${name} is refused`
      : kind === 'Pod'
        ? `Pod ${name} is refused`
        : `No pod of ${name} is made`
    report(
      first.node,
      first.field,
      `${who}: namespace ${graph.namespaceOf(object)} enforces ${enforced.level}, and ${summary(faults)}.`,
      {
        severity: runs && !event ? 'warning' : 'error',
        evidence: event && [lineOf(event)],
        see: [
          at(namespace, namespace.metadata?.labels ?? namespace, enforceLabel),
          ...more
            .filter(({ missing }) => !missing)
            .slice(0, 3)
            .map(({ node, field, what }) => at(workload, node, field, what)),
        ],
        fix: fixOf(workload, faults),
        restsOn: [workload.pod, ...workload.containers.map(({ spec }) => spec)].map(
          (one) => [one, 'securityContext'] as const,
        ),
      },
    )
  },
})

function isAnyEnforced(graph: Graph, minor: number): boolean {
  return graph.once('namespaces that enforce', () =>
    graph.seen('Namespace').some((one) => enforcedBy(one, minor) !== undefined),
  )
}

/** The Namespaces that a workload may be in: several of one name in a repository for several clusters. */
function namespacesOf({ object }: Workload, graph: Graph): readonly ObjectOf<'Namespace'>[] {
  const name = graph.namespaceOf(object)
  if (name === '') return []
  return graph.namespacesCalled(name).filter(
    (one) =>
      isNamespaceOf(one, object, graph) &&
      // Every cluster has it: an example that labels it is not about the others of its repository.
      (name !== 'default' || graph.live || graph.apart(one, object) === 0),
  )
}

function refuses(namespace: ObjectOf<'Namespace'>, workload: Workload, graph: Graph, minor: number): boolean {
  const enforced = enforcedBy(namespace, minor)
  return enforced !== undefined && faultsOf(workload, enforced, graph).length > 0
}

/** What a policy refuses in the pods of a workload, save for what somebody may add to them, which shows in no template. */
function faultsOf(
  { pod, annotations, object }: Workload,
  enforced: Enforced,
  graph: Graph,
  isRefused = false,
): readonly SecurityFault[] {
  const faults = securityFaults(pod, annotations, enforced)
  if (isRefused || faults.every(({ missing }) => !missing)) return faults
  const isOpen = graph.live !== undefined || mayBeCompleted(object, graph)
  return isOpen ? faults.filter(({ missing }) => !missing) : faults
}

/** Whether pods get fields at their admission: from OpenShift's security context constraints, or from a policy of the input. */
function mayBeCompleted(object: Workload['object'], graph: Graph): boolean {
  const isOpenShift = graph.once('fields from OpenShift', () =>
    graph.objects.some(({ apiVersion = '', metadata }) => {
      const keys = [...Object.keys(metadata?.annotations ?? {}), ...Object.keys(metadata?.labels ?? {})]
      return (
        groupOf(apiVersion).endsWith('.openshift.io') ||
        keys.some((key) => /(?:^|\.)openshift\.io\//.test(key))
      )
    }),
  )
  const isMutated = graph.once('policies that change pods', () =>
    graph.objects.some(({ apiVersion = '', kind = '', ...one }) => {
      const group = groupOf(apiVersion)
      if (group === 'mutations.gatekeeper.sh' || kind === 'MutatingAdmissionPolicy') return true
      if (!/^(?:policies\.)?kyverno\.io$/.test(group)) return false
      const rules = valueAt(one, 'spec', 'rules')
      return (
        /^Mutating/.test(kind) ||
        (Array.isArray(rules) && rules.some((each) => isObject(each) && each.mutate))
      )
    }),
  )
  return isOpenShift || isMutated || graph.namespaceOf(object).startsWith('openshift-')
}

/** The event in which the API server has refused a pod of the workload, the newest. */
function refusalOf(workload: Workload, { live }: Graph): Event | undefined {
  return live
    ?.eventsOf(workload)
    .find(({ reason, message = '' }) => reason === 'FailedCreate' && message.includes(violation))
}

const violation = 'violates PodSecurity'

function lineOf(event: Event): string {
  const { message = '' } = event
  return `FailedCreate ${times(countOf(event))}: ${message.slice(message.indexOf(violation))}`
}

/** What is refused: `container web is privileged, and 2 more`, or all that is missing. */
function summary(faults: readonly SecurityFault[]): string {
  const forbidden = faults.filter(({ missing }) => !missing)
  const [first] = forbidden
  if (first) return faults.length > 1 ? `${first.what}, and ${faults.length - 1} more` : first.what
  const lacking = faults.flatMap(({ missing }) => missing ?? [])
  const names = [...new Set(lacking.map(({ container }) => container))]
  const demands = [...new Set(lacking.map(({ demand }) => demand))]
  const who =
    names.length === 1
      ? `container ${names[0]} lacks`
      : `${names.length > 3 ? counted(names.length, 'container') : `containers ${enumerate(names, 'and')}`} lack`
  return `${who} ${enumerate(demands, 'and')}`
}

/** Adds what is missing; nobody but the owner knows whether what is forbidden is needed. */
function fixOf({ pod, containers }: Workload, faults: readonly SecurityFault[]): RuleFix {
  // Pods of Windows may have none of these fields: kubernetes/pkg/apis/core/validation (validateWindows).
  if (pod.os?.name === 'windows' || !faults.every(({ missing }) => missing))
    return advise('Take it out of the pod, or run it in a namespace that allows it')
  const lacks = (demand: string, container?: string) =>
    faults.some(
      ({ missing }) =>
        missing?.demand === demand && (container === undefined || missing.container === container),
    )
  const edits: RuleEdit[] = []
  const ofPod = {
    ...(lacks('runAsNonRoot: true') && { runAsNonRoot: true }),
    ...(lacks('seccompProfile') && { seccompProfile: { type: 'RuntimeDefault' } }),
  }
  if (Object.keys(ofPod).length > 0)
    edits.push({
      op: 'set',
      node: pod,
      field: 'securityContext',
      value: { ...pod.securityContext, ...ofPod },
    })
  for (const { name, spec } of containers) {
    const own = {
      ...(lacks('allowPrivilegeEscalation: false', name) && { allowPrivilegeEscalation: false }),
      ...(lacks('drop: [ALL]', name) && {
        capabilities: { ...spec.securityContext?.capabilities, drop: ['ALL'] },
      }),
    }
    if (Object.keys(own).length > 0)
      edits.push({
        op: 'set',
        node: spec,
        field: 'securityContext',
        value: { ...spec.securityContext, ...own },
      })
  }
  return { title: 'securityContext as restricted demands it', safe: false, edits }
}
