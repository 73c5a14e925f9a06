import {
  formatPath,
  type Graph,
  type KubernetesObject,
  type Path,
  retiredApi,
  rule,
  type SchemaProblem,
  strayVolumes,
  successorOf,
  suggestion,
} from '../src/rule.js'

type Missing = SchemaProblem & { kind: 'missing-field' }

/** The comment in a sample that kubebuilder has made. */
const unfilledSample = '# TODO(user): Add fields here'

export default rule({
  title: 'A required field is missing',
  category: 'api-schema',
  severity: 'error',
  why: `The API server refuses an object without the field: every \`kubectl apply\`, sync and reconciliation
of it fails.`,
  remedy: 'Add the field.',
  decides: `Fields that the schema of the API version calls required, and those that the validation of the API
server wants besides; empty text and empty lists count as missing where the server says so. What the schema calls
required and the server does without (\`rules\` of a Role, \`value\` of a PriorityClass) is not reported, nor one
that stands there by a name which \`unknown-field\` reports, nor any of a kind that no version is left of
(\`removed-api-version\` reports it). Each was tried with a real API server, see docs/validation.md. The \`status\`
of an object is not looked at.

Exempt: files beside a kustomization or listed in one, and files or folders called a patch or overlay: they may hold parts of
objects. Not so the resources of a kustomization where all that is built from them is known, no patch or replacement is for the object,
and what is built is not in a folder called base, common, shared or the like. An info in a sample that kubebuilder has
made and nobody has filled in (\`# TODO(user): Add fields here\`).`,
  falsePositives: `A manifest that another tool completes before it is applied. Of what a Go program embeds, and of objects
in a Go module whose images are empty, that is known.`,
  sources: [
    'OpenAPI documents of Kubernetes 1.22 to 1.37',
    'kubernetes/pkg/apis/*/validation',
    'kubebuilder/pkg/plugins/common/kustomize/v2 (config/samples/crd_sample.go)',
  ],
  stories: [],
  for: 'FaultyObject',
  check(object, { graph, minor, reportPath }) {
    if (isGone(object, minor)) return
    const strays = strayVolumes(object, graph.problems(object), minor).map(formatPath)
    for (const problem of graph.problems(object)) {
      if (problem.kind !== 'missing-field' || strays.includes(formatPath(problem.path.slice(0, -1)))) continue
      if (graph.mayComplete(object, problem.path)) continue
      if (isMeant(problem.path, object, graph, minor)) continue
      const isSample = graph.mentions(object, unfilledSample)
      reportPath(problem.path, messageOf(problem, isSample), {
        label: problem.empty ? 'needs a value' : `needs ${problem.path.at(-1)}`,
        ...(isSample && { severity: 'info' }),
      })
    }
  },
})

function messageOf({ path, empty, because }: Missing, isSample: boolean): string {
  const name = formatPath(path).slice(1)
  if (isSample)
    return `kubectl apply is refused until somebody fills in ${name}: this is a sample as kubebuilder makes it.`
  if (empty) return `kubectl apply is refused: ${name} is empty.`
  return `kubectl apply is refused: ${name} is missing${because === undefined ? '' : `, ${because}`}.`
}

/** Whether the kind was removed and nothing took its place: then no field would help. */
function isGone({ apiVersion = '', kind = '' }: KubernetesObject, minor: number): boolean {
  const removed = retiredApi(apiVersion, kind)?.removed
  return removed !== undefined && removed <= minor && successorOf(apiVersion, kind, minor) === undefined
}

/** Whether a field with another name stands in for the missing one: `unknown-field` reports that. */
function isMeant(missing: Path, object: KubernetesObject, graph: Graph, minor: number): boolean {
  return graph.problems(object).some((problem) => {
    if (problem.kind !== 'unknown-field' || problem.path.length !== missing.length) return false
    const meant = suggestion(object, problem.path, minor, problem.root)?.path
    return meant !== undefined && missing.every((step, i) => step === meant[i])
  })
}
