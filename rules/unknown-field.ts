import {
  at,
  customDefinition,
  type Dropped,
  type FaultAt,
  firstOf,
  formatPath,
  formatPlace,
  type Graph,
  isInvented,
  type KubernetesObject,
  losses,
  placeOf,
  type ReportOptions,
  rule,
  type SchemaProblem,
  standsFor,
  strayVolumes,
  suggestion,
} from '../src/rule.js'

export default rule({
  title: 'A field that the API server does not know',
  category: 'api-schema',
  severity: 'error',
  why: `The API server has no such field at this place. \`kubectl apply\` and \`create\` ask for strict
validation unless told otherwise, and are refused; so is every server-side apply. For a client that asks for
nothing, as Helm 3 and Argo CD without server-side apply, it stores the object without the field and answers with
a warning: the setting has no effect. Usually it is a slip of spelling, a field of another kind, or one that the
cluster's version does not have yet or no longer has.`,
  remedy: 'Correct the name, or remove the field.',
  decides: `Every field is looked up in the schema of its own API version at the target version
(\`--k8s-version\`). A name that is at most two letters away, or that a kind of the same family uses, is
proposed, as is a required one that is missing beside it. Fields that the kind has on another level are reported by \`misplaced-spec-field\`. One that is \`null\`
is an info: client-side \`kubectl apply\` sends it nowhere. Several in one mapping of which nothing else is known are one finding.
A field of another version of Kubernetes is told once for all entries of a list.

Custom objects are compared with the CustomResourceDefinition of their kind, when the input or \`crds\` of the
configuration has it and it drops unknown fields. \`foo: bar\` or \`size: 3\` in a sample that kubebuilder or the Operator SDK
has made is an info.

Exempt: kinds without a known schema, and maps with keys of your own.

In a cluster the manifests of built-in kinds are looked at that client-side \`kubectl apply\` has left in the
annotation \`last-applied-configuration\`: a field that their API version does not have at the version of the server,
and that is not in the object. What it had in an earlier version is left alone, and so are manifests in a version
that is gone.`,
  falsePositives: `Fields of an alpha feature that a distribution has patched in: name the target version, or
suppress with that reason. In a cluster, objects that were once applied with kubectl and belong to another tool now:
the annotation stays as it was.`,
  versions: 'The fields of 1.22 to 1.37 are known, those of alpha features included.',
  sources: [
    'OpenAPI documents of Kubernetes 1.22 to 1.37',
    'k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning',
    'k8s.io/kubectl/pkg/cmd/util/helpers.go (AddValidateFlags: strict)',
    'k8s.io/apiserver/pkg/endpoints/handlers/rest.go (fieldValidation: Warn)',
    'sigs.k8s.io/structured-merge-diff/typed/validate.go (server-side apply)',
    'kube-apiserver 1.36 and kubectl 1.32: fields that are null, tried with apply, create and server-side apply',
    'helm/pkg/kube/client.go and gitops-engine/pkg/utils/kube/resource_ops.go',
  ],
  stories: ['zalando-cronjob-apiserver'],
  for: 'FaultyObject',
  live: true,
  check(object, { graph, minor, reportPath }) {
    const problems = graph.problems(object)
    const dropped = problems.filter(
      (one): one is Dropped => one.kind === 'dropped-field' && one.wrong !== 'place',
    )
    for (const { path, message, ...options } of losses(object, dropped)) reportPath(path, message, options)
    const strays = strayVolumes(object, problems, minor).map(formatPath)
    const told = new Set<string>()
    for (const problem of problems) {
      if (problem.kind !== 'unknown-field' || problem.below) continue
      const { path } = problem
      if (problem.since !== undefined || problem.until !== undefined) {
        // The entries of a list are written for one version.
        const place = formatPlace(placeOf(path))
        if (!told.has(place)) reportPath(...ofOtherVersion(problem, minor))
        told.add(place)
      } else if (strays.includes(formatPath(path.slice(0, -1)))) {
        const volumes = formatPath([...path.slice(0, -3), 'volumes'])
        reportPath(path, `${refusalOf(problem)}: a volume stands among the containers.`, {
          label: `belongs under ${volumes}`,
        })
      } else {
        const fault = unknown(problem, object, graph, minor)
        if (fault) reportPath(...fault)
      }
    }
  },
})

type Unknown = Extract<SchemaProblem, { readonly kind: 'unknown-field' }>

/** What comes of the field, for the beginning of a message: the reason follows. */
function refusalOf({ path, isNull }: Unknown): string {
  const field = String(path.at(-1))
  return isNull
    ? `kubectl create and server-side apply refuse ${field} here, though it has no value`
    : `kubectl apply refuses ${field} here, other clients may lose it`
}

function harmOf({ isNull }: Unknown): ReportOptions {
  return isNull ? { severity: 'info' } : {}
}

/** A field that another version of Kubernetes has. */
function ofOtherVersion(problem: Unknown, minor: number): FaultAt {
  const { path, since, until } = problem
  const fact =
    since !== undefined && minor < since
      ? `Kubernetes has the field from 1.${since} on, the target is 1.${minor}`
      : `Kubernetes has had no such field since 1.${(until ?? minor) + 1}`
  return [path, `${refusalOf(problem)}: ${fact}.`, harmOf(problem)]
}

/** A field that no version has; undefined where it stands on the wrong level, which is told elsewhere. */
function unknown(
  problem: Unknown,
  object: KubernetesObject,
  graph: Graph,
  minor: number,
): FaultAt | undefined {
  const { path, root, isNull = false } = problem
  const field = String(path.at(-1))
  const meant = isNull ? undefined : suggestion(object, path, minor, root)
  if (meant?.wrong === 'place') return undefined
  if (formatPath(path.slice(0, -1)) === '.spec' && isInvented(object, field, graph))
    return [
      path,
      `kubectl apply is refused until somebody writes the fields of spec: ${field} stands in samples as kubebuilder and the Operator SDK make them.`,
      { severity: 'info' },
    ]
  const definition = root && customDefinition(graph, object.apiVersion ?? '', object.kind ?? '')
  const parent = formatPath(path.slice(0, -1)).slice(1)
  const type = root
    ? `${parent === '' ? '' : `${parent} of `}${object.kind}`
    : problem.definition.replace(/^.*\./, '')
  const stands = meant ? undefined : standsFor(object, path, graph.problems(object), minor, root)
  const missing = stands && `${stands.missing.at(-1)}${stands.isBelow ? `.${field}` : ''}`
  return [
    path,
    `${refusalOf(problem)}: ${type} has no such field.`,
    {
      ...harmOf(problem),
      ...(!meant &&
        !stands &&
        !isNull && {
          among: {
            key: parent,
            name: field,
            say: (names) =>
              `kubectl apply refuses ${firstOf(names, 4)} here, other clients may lose them: ${type} has no such fields.`,
          },
        }),
      see: [definition && at(definition, definition.spec ?? definition, 'versions', 'defines the kind')],
      label: meant
        ? `did you mean ${meant.place}${meant.inList ? ', a list' : ''}?`
        : missing && `did you mean .${missing}, which is missing?`,
      fix: meant?.path && {
        title: `call it ${meant.place}${meant.inList ? ', which takes a list' : ''}`,
        safe: false,
        // A list of one is written by hand.
        edits: meant.inList
          ? []
          : [
              meant.there ? { op: 'remove' as const, path } : { op: 'move' as const, path, to: meant.path },
              ...(meant.beside ? [{ op: 'set' as const, ...meant.beside }] : []),
            ],
      },
    },
  ]
}
