import { at, type ConfigReference, type Graph, nearestName, rule, set, type Workload } from '../src/rule.js'

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
unless something else may fill the object. A missing image pull secret is a warning: the kubelet goes on
without it.`,
  falsePositives: 'Objects that operators, Terraform or people create: name them in `externals`.',
  sources: [
    'kubernetes/pkg/kubelet/kubelet_pods.go',
    'kubernetes/plugin/pkg/admission/serviceaccount/admission.go',
  ],
  stories: ['zalando-credentials-queue', 'loveholidays-gke-ips'],
  for: 'Workload',
  check(workload, { graph, report }) {
    const seen = new Set<string>()
    const absent = new Map<string, ConfigReference[]>()
    for (const reference of graph.referencesOf(workload)) {
      const { kind, name, node, field } = reference
      const key = `${kind}/${name}`
      if (reference.optional || seen.has(key) || isBuiltIn(reference)) continue
      if (graph.exists(kind, name, workload.object)) {
        const missing = missingKey(reference, workload, graph)
        if (missing)
          report(
            node,
            'key' in node ? 'key' : field,
            `${subjectOf(reference, workload)} does not start: ${kind} ${name} has no key ${missing.key}${missing.near ? `, but ${missing.near}` : ''}.`,
            { see: [at(missing.of, missing.data)] },
          )
        if (missing) seen.add(key)
        continue
      }
      // No object can be called so: the name is filled in later, or another finding says what is wrong with it.
      if (/[^a-z0-9.-]/.test(name)) continue
      const near = nearestName(name, graph.namesNear(kind, workload.object))
      if (!near && !graph.complete) continue
      seen.add(key)
      const severity = severityOf(reference)
      const what = consequence(reference, workload)
      if (near)
        report(node, field, `${what}: there is no ${kind} ${name}, but one named ${near}.`, {
          severity,
          fix: set(node, field, near),
        })
      else {
        const alike = `${what}: ${kind}`
        absent.set(alike, [...(absent.get(alike) ?? []), reference])
      }
    }
    for (const alike of absent.values()) {
      const [first] = alike
      if (first)
        report(
          first.node,
          first.field,
          `${consequence(first, workload)}: there is no ${first.kind} ${listed(alike.map(({ name }) => name))} in ${graph.source}.`,
          { severity: severityOf(first) },
        )
    }
  },
})

function isBuiltIn({ kind, name }: ConfigReference): boolean {
  return (
    (kind === 'ServiceAccount' && name === 'default') || (kind === 'ConfigMap' && name === 'kube-root-ca.crt')
  )
}

/** The kubelet goes on without an image pull secret. */
function severityOf({ as }: ConfigReference): 'error' | 'warning' {
  return as === 'imagePullSecret' ? 'warning' : 'error'
}

/** `a`, `a or b`, `a, b or 7 others`. */
function listed([first = '', second, ...others]: readonly string[]): string {
  if (second === undefined) return first
  if (others.length === 0) return `${first} or ${second}`
  return `${first}, ${second} or ${others.length === 1 ? others[0] : `${others.length} others`}`
}

const subjectOf = (reference: ConfigReference, workload: Workload) =>
  reference.container ? `Container ${reference.container}` : `The pod of ${workload.name}`

function consequence(reference: ConfigReference, workload: Workload): string {
  switch (reference.as) {
    case 'claim':
      return `Pods of ${workload.name} stay Pending`
    case 'serviceAccount':
      return `Pods of ${workload.name} are refused`
    case 'imagePullSecret':
      return `Pods of ${workload.name} may not get their image`
    case 'env':
    case 'envFrom':
      return `${subjectOf(reference, workload)} does not start`
    default:
      return `Pods of ${workload.name} wait in ContainerCreating`
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
