import {
  advise,
  at,
  boundsOfScaled,
  counted,
  enumerate,
  type Graph,
  objectAt,
  objectsAt,
  rule,
  stringAt,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'The manifest sets the number of replicas that an autoscaler owns',
  category: 'autoscaling',
  severity: 'warning',
  why: `Each time the manifest is applied the workload goes back to the number in it, whatever the autoscaler
has made of it. At peak most pods are stopped at once, and the autoscaler needs minutes to bring them back:
it doubles the pods every 15 s at most (or adds four, where that is more), and each must start and become ready.`,
  remedy: 'Leave `replicas` out of the manifest; read below how.',
  decides: `A HorizontalPodAutoscaler, or a ScaledObject or HTTPScaledObject of KEDA, of the input targets a workload whose
\`spec.replicas\` is set. An error when the number lies outside of what the autoscaler allows: every apply
changes it then. In a cluster every workload has a number; reported are those for which it is in kubectl's
copy of the manifest or owned by a server-side apply. What Helm sets can't be seen there.

Exempt: 0, which switches the autoscaler off; Deployments that a Rollout of Argo names in \`workloadRef\`, where
the autoscaler scales the Rollout; autoscalers whose minimum and maximum are that number; and Argo CD Applications
that ignore differences in \`/spec/replicas\`, in a cluster for what Argo CD may have applied.

**Don't just delete the line.** A client-side apply that finds it in its last copy and no longer in the
manifest removes the field, and the API server makes it 1. Remove it from the copy first (\`kubectl apply
edit-last-applied\`), or hand the field over with a server-side apply, and delete it then. \`replicas: null\`
has the same effect as deleting it.`,
  falsePositives: 'Manifests that are applied once, and never again.',
  sources: [
    'kubernetes/pkg/apis/apps/v1/defaults.go',
    'kubernetes/pkg/apis/autoscaling/v2/defaults.go (scale-up policies)',
    'Kubernetes documentation, Migrating Deployments and StatefulSets to horizontal autoscaling',
  ],
  stories: ['kalc-hpa-replicas', 'datadog-10-ways'],
  for: 'Workload',
  check(workload, { graph, report }) {
    const { scale, name, object } = workload
    const range = rangeOf(workload, graph)
    if (!scale?.replicas || !range) return
    const { replicas } = scale
    const { of, spec, min, max, minField, maxField } = range
    // It scales a Rollout of Argo, which has the Deployment for a template.
    if (stringAt(of, 'spec', 'scaleTargetRef', 'kind') === 'Rollout' && workload.kind !== 'Rollout') return
    if (graph.live) {
      const by = appliersOf(object)
      if (by.length === 0) return
      // Applications are in other namespaces: they are asked for only where they can matter.
      if (by.every((manager) => isArgo(manager, object)) && isIgnored(graph)) return
      report(
        scale.node,
        'replicas',
        `Each apply undoes what ${graph.describe(of)} has made of ${name}: ${enumerate(by, 'and')} ${by.length === 1 ? 'sets' : 'set'} its replicas.`,
        {
          see: [at(of, spec, maxField)],
          fix: advise('take replicas out of the manifest, and out of last-applied first'),
        },
      )
      return
    }
    if ((min === max && replicas === min) || isIgnored(graph)) return
    const outside = replicas < min || replicas > max
    report(
      scale.node,
      'replicas',
      `Every apply sets ${name} back to ${counted(replicas, 'pod')}, ${outside ? `and ${graph.describe(of)} wants ${min === max ? min : `${min} to ${max}`}` : `however many ${graph.describe(of)} has made of them`}.`,
      {
        severity: outside ? 'error' : 'warning',
        see: [at(of, spec, replicas > max ? maxField : minField)],
        fix: advise('take replicas out of the manifest, and out of last-applied first'),
      },
    )
  },
})

/** What the workload's autoscaler allows. */
function rangeOf(workload: Workload, graph: Graph) {
  const hpa = graph.autoscalerOf(workload)
  if (hpa?.spec) {
    const { minReplicas: min = 1, maxReplicas: max } = hpa.spec
    // Without a maximum the API server refuses it.
    if (max === undefined) return undefined
    return { of: hpa, spec: hpa.spec, min, max, minField: 'minReplicas', maxField: 'maxReplicas' }
  }
  const scaled = graph.scaledObjectOf(workload)
  const bounds = scaled && boundsOfScaled(scaled)
  return bounds && { of: scaled, spec: bounds.node, ...bounds }
}

/** Whether Argo CD was told to leave the numbers of replicas alone. */
function isIgnored(graph: Graph): boolean {
  return graph.once('hpa-replicas-conflict', () =>
    [...graph.all('argoproj.io/Application'), ...graph.all('argoproj.io/ApplicationSet')].some((one) =>
      JSON.stringify(one).match(/[/.]spec[/.]replicas/),
    ),
  )
}

/**
 * Whether that may be Argo CD, which applies as kubectl does, or as `argocd-controller`. What it keeps has a label or
 * an annotation that tells the Application. Source: argo-cd/common/common.go, util/argo/resource_tracking.go.
 */
function isArgo(manager: string, { metadata }: Workload['object']): boolean {
  if (manager !== 'kubectl') return manager.startsWith('argocd-')
  const keys = [metadata?.labels, metadata?.annotations].flatMap((one) => Object.keys(one ?? {}))
  return keys.some((key) => key === 'app.kubernetes.io/instance' || key.includes('argocd'))
}

/** Who sets the number of replicas when they apply the object. src/cluster/slim.ts keeps these entries alone. */
function appliersOf(object: Workload['object']): string[] {
  const owners = objectsAt(object, 'metadata', 'managedFields').filter(
    (entry) => entry.operation === 'Apply' && objectAt(entry, 'fieldsV1', 'f:spec', 'f:replicas'),
  )
  return [...new Set(owners.map((entry) => stringAt(entry, 'manager') ?? 'a client'))].sort()
}
