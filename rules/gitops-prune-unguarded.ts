import {
  arrayAt,
  type Custom,
  firstOf,
  type Graph,
  isObject,
  objectAt,
  objectsAt,
  remove,
  rule,
  set,
  stringAt,
  type Untyped,
  valueAt,
} from '../src/rule.js'

export default rule({
  title: 'GitOps may delete everything at once',
  category: 'config',
  severity: 'warning',
  why: `With pruning, what a repository no longer renders is deleted. A template that renders nothing, a folder that
was moved or a generator that lost its list then deletes namespaces and volumes in minutes, everywhere the
change arrives. By itself Argo CD does not sync an application to nothing, unless \`allowEmpty\` says otherwise; an
ApplicationSet has no such guard for the applications that it no longer generates.`,
  remedy:
    'Leave allowEmpty out, keep namespaces and volumes with the annotation Prune=false, and preserve resources on deletion.',
  decides: `Argo CD Applications, and the template of ApplicationSets, with \`syncPolicy.automated\` that has both
\`prune: true\` and \`allowEmpty: true\`. With \`applicationSets\`, ApplicationSets that generate applications from
folders, files, clusters or repositories and neither set \`preserveResourcesOnDeletion: true\` nor a policy without
deletes (\`applicationsSync\`): an info. In a cluster, when an Application waits to prune more than a
tenth of its resources, and at least five: an error where it is synced and pruned by itself, else a warning.

Where the rule is asked for, as an info: \`prune: true\` without \`PruneLast=true\`, and the finalizer that deletes
resources on an Application of applications (one that deploys into its own namespace). Not reported:
Kustomizations of Flux that prune: that is what most people want.`,
  falsePositives:
    'Previews of pull requests, which are meant to vanish, and ApplicationSets of a controller that was started with `--policy create-only` or `create-update`.',
  sources: [
    'Argo CD documentation, automated sync policy (allow-empty)',
    'Argo CD documentation, sync options (PruneLast)',
    'Argo CD documentation, controlling resource modification by ApplicationSets',
  ],
  stories: ['skyscanner-gitops-prune', 'dfds-flux-unpinned'],
  params: {
    applicationSets: {
      type: 'boolean',
      default: false,
      asked: true,
      about: 'Report ApplicationSets that delete applications which their generators no longer find.',
    },
  },
  for: ['argoproj.io/Application', 'argoproj.io/ApplicationSet'],
  check(subject, { graph, params, report }) {
    const isSet = subject.kind === 'ApplicationSet'
    const target = objectAt(subject, 'spec', ...(isSet ? ['template', 'spec'] : []))
    const automated = objectAt(target, 'syncPolicy', 'automated')
    const name = subject.metadata?.name ?? 'the application'
    if (automated?.prune === true && automated.allowEmpty === true && automated.enabled !== false) {
      report(
        automated,
        'allowEmpty',
        `A commit that renders nothing deletes all that ${isSet ? `the applications of ${name} have` : `${name} has`} in the cluster: prune with allowEmpty.`,
        { fix: remove(automated, 'allowEmpty') },
      )
      return
    }
    const generator = params.applicationSets ? deletingGenerator(subject) : undefined
    if (generator) {
      const spec = objectAt(subject, 'spec') ?? subject
      const policy = objectAt(spec, 'syncPolicy')
      report(
        policy ?? spec,
        policy ? undefined : 'generators',
        `When its ${generator} generator finds less, ${name} deletes applications with all that they have in the cluster.`,
        { severity: 'info', fix: policy && set(policy, 'preserveResourcesOnDeletion', true) },
      )
      return
    }
    const resources = graph.live ? objectsAt(subject, 'status', 'resources') : []
    const doomed = resources.filter((one) => one.requiresPruning === true)
    if (doomed.length < 5 || doomed.length * 10 <= resources.length) {
      const finalizers = subject.metadata?.finalizers ?? []
      const deletes = finalizers.findIndex((one) => one.startsWith('resources-finalizer.argocd.argoproj.io'))
      if (!isSet && deletes >= 0 && makesApplications(subject, graph))
        report(
          finalizers,
          deletes,
          `Who deletes ${name} deletes the applications that it makes, and all that they have in the cluster.`,
          { severity: 'info', recommended: false },
        )
      else if (automated?.prune === true && !prunesLast(target))
        report(
          automated,
          'prune',
          `What the repository of ${name} no longer renders may be deleted before what replaces it is healthy: prune without PruneLast.`,
          { severity: 'info', recommended: false },
        )
      return
    }
    const kinds = doomed.map((one) => `${stringAt(one, 'kind')} ${stringAt(one, 'name')}`)
    report(
      subject,
      'status',
      `The next sync of ${name} with pruning deletes ${doomed.length} of its ${resources.length} resources: the repository no longer has them.`,
      {
        severity: automated?.prune === true ? 'error' : 'warning',
        evidence: [firstOf(kinds.sort(byWeight))],
      },
    )
  },
})

/** Whether the application deploys into the namespace of Argo CD itself, where applications are kept. */
function makesApplications(application: Custom, graph: Graph): boolean {
  return stringAt(application, 'spec', 'destination', 'namespace') === graph.namespaceOf(application)
}

function prunesLast(target: Untyped | undefined): boolean {
  const options = arrayAt(target, 'syncPolicy', 'syncOptions')
  return (
    options.includes('PruneLast=true') || options.includes('Prune=false') || options.includes('Prune=confirm')
  )
}

/** What hurts most comes first. */
function byWeight(a: string, b: string): number {
  const weight = (text: string) =>
    /^(Namespace|PersistentVolumeClaim|CustomResourceDefinition) /.test(text) ? 0 : 1
  return weight(a) - weight(b) || (a < b ? -1 : 1)
}

/** The generator of an ApplicationSet that may delete applications with their resources. */
function deletingGenerator(subject: Custom): string | undefined {
  const policy = objectAt(subject, 'spec', 'syncPolicy')
  return policy?.preserveResourcesOnDeletion === true ||
    /^create-(only|update)$/.test(stringAt(policy, 'applicationsSync') ?? '')
    ? undefined
    : wideGenerator(subject)
}

/** The first generator that finds applications by itself; previews of pull requests are meant to vanish. */
function wideGenerator(subject: Custom): string | undefined {
  for (const one of objectsAt(subject, 'spec', 'generators')) {
    for (const kind of ['git', 'clusters', 'scmProvider'] as const) if (isObject(one[kind])) return kind
    for (const outer of ['matrix', 'merge'])
      for (const inner of objectsAt(valueAt(one, outer), 'generators')) {
        if (isObject(inner.pullRequest)) return undefined
        for (const kind of ['git', 'clusters', 'scmProvider'] as const) if (isObject(inner[kind])) return kind
      }
  }
  return undefined
}
