import {
  enumerate,
  firstOf,
  formatPath,
  formatPlace,
  type Graph,
  groupBy,
  isLeftToDo,
  isSamePath,
  isUnfilledSample,
  isWithin,
  type KubernetesObject,
  mayFillIn,
  objectAt,
  type Path,
  placeOf,
  type ReportOptions,
  retiredApi,
  rule,
  type SchemaProblem,
  standsFor,
  strayVolumes,
  successorOf,
  suggestion,
  valueAt,
} from '../src/rule.js'

type Missing = SchemaProblem & { kind: 'missing-field' }

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
(\`removed-api-version\` reports it). What is missing from one mapping is one finding, and so is
what is missing because an object ends too early. Each was tried with a real API server,
see docs/validation.md. The \`status\` of an object is not looked at.

Exempt: files beside a kustomization or listed in one, and files or folders called a patch or overlay: they may hold parts of
objects. Not so the resources of a kustomization where all that is built from them is known, no patch or replacement is for the object,
and what is built is not in a folder called base, common, shared or the like. Custom objects that a mutating webhook of the
input is asked about by name: it may fill the field in before the schema is looked at. An info in a sample that kubebuilder has
made and nobody has filled in (\`# TODO(user): Add fields here\`, \`foo: bar\`, \`spec: {}\` of what is called \`web-sample\`), or the Operator SDK (\`size: 3\`), and where a comment beside an empty field says \`TODO\`, as in an exercise.`,
  falsePositives: `A manifest that another tool completes before it is applied. Of what a Go program embeds, and of objects
in a Go module whose images are empty, that is known; and of pods that Jenkins, Spark, Flink, Airflow or Dask start, where a pipeline names
the file (\`yamlFile\`), it is called a pod template, or a container is called as theirs are or only waits (\`sleep 99d\`).`,
  sources: [
    'OpenAPI documents of Kubernetes 1.22 to 1.37',
    'kubernetes/pkg/apis/*/validation',
    'operator-sdk/internal/scaffold/cr.go',
    'Kubernetes documentation, Admission Control in Kubernetes (phases)',
    'kubebuilder/pkg/scaffold/v2/crd_sample.go and pkg/plugins/common/kustomize/v2 (config/samples/crd_sample.go)',
  ],
  stories: [],
  for: 'FaultyObject',
  check(object, { graph, minor, reportPath }) {
    if (isGone(object, minor) || mayFillIn(object, graph)) return
    const strays = strayVolumes(object, graph.problems(object), minor).map(formatPath)
    const told = graph.problems(object).filter((problem): problem is Missing => {
      if (problem.kind !== 'missing-field' || strays.includes(formatPath(problem.path.slice(0, -1))))
        return false
      if (lacksGroup(problem, object)) return false
      return !graph.mayComplete(object, problem.path) && !isMeant(problem.path, object, graph, minor)
    })
    const isSample = told.length > 0 && isUnfilledSample(object, graph)
    const end = told.length > 1 && !isSample ? graph.endOf(object) : []
    const [first, ...others] = behind(end, told, object)
    if (first) reportPath(first.path, messageOfEnd([first, ...others], end), { label: 'more is needed' })
    const rest = told.filter((problem) => problem !== first && !others.includes(problem))
    if (isSample) return reportToFill(rest, 'this is a sample as kubebuilder makes it', reportPath)
    const toDo = rest
      .filter(({ path, empty }) => empty && isLeftToDo(object, String(path.at(-1)), graph))
      .sort((a, b) => a.path.length - b.path.length)
    reportToFill(toDo, 'a comment says TODO', reportPath)
    const plain: Missing[] = []
    for (const problem of rest) {
      if (toDo.includes(problem)) continue
      const half = halfOf(problem, object, graph)
      if (half === 'told') continue
      if (half) reportPath(problem.path, half.message, { label: half.label })
      else if (problem.empty || problem.because !== undefined)
        reportPath(problem.path, messageOf(problem), {
          label: problem.empty ? 'needs a value' : `needs ${problem.path.at(-1)}`,
        })
      else plain.push(problem)
    }
    for (const together of groupBy(plain, ({ path }) => formatPath(path.slice(0, -1))).values())
      reportTogether(together, reportPath)
  },
})

/** Reports at a place of an object. */
type ReportPath = (path: Path, message: string, options: ReportOptions) => void

/** Says once of a sample or an exercise what somebody has to fill in. */
function reportToFill(missing: readonly Missing[], why: string, reportPath: ReportPath): void {
  const [first] = missing
  if (!first) return
  const names = missing.map(({ path }) => formatPath(path).slice(1))
  reportPath(first.path, `kubectl apply is refused until somebody fills in ${firstOf(names)}: ${why}.`, {
    label: `needs ${first.path.at(-1)}`,
    severity: 'info',
  })
}

/** Says once what is missing from one mapping. */
function reportTogether(missing: readonly Missing[], reportPath: ReportPath): void {
  const [first, ...others] = missing
  if (!first) return
  const names = missing.map(({ path }) => formatPath(path).slice(1))
  reportPath(
    first.path,
    others.length === 0 ? messageOf(first) : `kubectl apply is refused: ${firstOf(names)} are missing.`,
    { label: `needs ${firstOf(missing.map(({ path }) => String(path.at(-1))))}` },
  )
}

/**
 * What is missing because the object is cut off: two fields or more of a mapping that is not closed at the end, which come later than
 * the last one by their names, as tools and most people write them, and what else is missing in the mappings within. The innermost first.
 * @param end the way to what is written last
 */
function behind(end: Path, missing: readonly Missing[], object: KubernetesObject): readonly Missing[] {
  const open = groupBy(
    missing.filter(({ path, because }) => {
      const isThere = valueAt(object, ...path.slice(0, depthIn(end, path) + 1)) !== undefined
      return because === undefined && (isWithin(end, path) || !isThere)
    }),
    ({ path }) => depthIn(end, path),
  )
  const depths = [...open.keys()].sort((a, b) => b - a)
  const [deepest = 0] = depths
  const rest = depths.map((depth) =>
    (open.get(depth) ?? []).filter(
      ({ path }) => depth === deepest || String(path[depth]) > String(end[depth]),
    ),
  )
  return rest
    .slice(0, rest.findLastIndex((one) => one.length > 1) + 1)
    .flat()
    .sort((a, b) => b.path.length - a.path.length)
}

/** In which of the mappings on the way to the end something is missing: 0 in the object itself. */
function depthIn(end: Path, path: Path): number {
  const parting = path.findIndex((step, i) => step !== end[i])
  return Math.min(parting < 0 ? path.length : parting, end.length - 1)
}

/** Says of all that is missing behind the end of an object where that is. */
function messageOfEnd(rest: readonly [Missing, ...Missing[]], end: Path): string {
  const empty = rest.find(({ path }) => isWithin(end, path))
  const last = empty ? empty.path : end.slice(0, depthIn(end, rest[0].path) + 1)
  const names = rest.filter((one) => one !== empty).map(({ path }) => formatPath(path).slice(1))
  return `kubectl apply is refused: the object ends ${empty ? 'with an empty' : 'after'} ${formatPath(last).slice(1)}, without ${enumerate(names, 'and')}.`
}

function messageOf({ path, empty, because }: Missing): string {
  const name = formatPath(path).slice(1)
  if (empty) return `kubectl apply is refused: ${name} is empty.`
  return `kubectl apply is refused: ${name} is missing${because === undefined ? '' : `, ${because}`}.`
}

/** Whether a CustomResourceDefinition lacks the field only because controller-gen was not told the group: then nothing has a value. */
function lacksGroup({ path }: Missing, object: KubernetesObject): boolean {
  const isGroup = path.length === 2 && path.at(-1) === 'group'
  return object.kind === 'CustomResourceDefinition' && !isGroup && valueAt(object, 'spec', 'group') === ''
}

/** Whether the kind was removed and nothing took its place: then no field would help. */
function isGone({ apiVersion = '', kind = '' }: KubernetesObject, minor: number): boolean {
  const removed = retiredApi(apiVersion, kind)?.removed
  return removed !== undefined && removed <= minor && successorOf(apiVersion, kind, minor) === undefined
}

/** Whether a field with another name stands in for the missing one: `unknown-field` reports that. */
function isMeant(missing: Path, object: KubernetesObject, graph: Graph, minor: number): boolean {
  return graph.problems(object).some((problem) => {
    if (problem.kind !== 'unknown-field') return false
    const found = suggestion(object, problem.path, minor, problem.root)
    const place = formatPlace(placeOf(missing))
    if (found?.wrong === 'place' && (found.place === place || found.place.startsWith(`${place}[]`)))
      return true
    if (problem.path.length !== missing.length) return false
    const meant = found
      ? found.path
      : standsFor(object, problem.path, graph.problems(object), minor, problem.root)?.missing
    return meant !== undefined && isWithin(meant, missing)
  })
}

/**
 * What to say of a field that stands behind a dash of its own: two entries of a list that have no field in common and each lack
 * something are the halves of one. The first missing field of the first half tells it; `told` for the others, unless both halves lack it.
 */
function halfOf(
  { path }: Missing,
  object: KubernetesObject,
  graph: Graph,
): { readonly message: string; readonly label: string } | 'told' | undefined {
  const at = path.findLastIndex((step) => typeof step === 'number')
  const [index, field] = [path[at], path[at + 1]]
  if (typeof index !== 'number' || at !== path.length - 2) return undefined
  const list = path.slice(0, at)
  const lacking = (i: number) =>
    graph
      .problems(object)
      .flatMap((one) =>
        one.kind === 'missing-field' && isSamePath(one.path.slice(0, -1), [...list, i])
          ? [String(one.path.at(-1))]
          : [],
      )
  const areHalves = (first: number): boolean => {
    // A second half is not the first one of others.
    if (first > 0 && areHalves(first - 1)) return false
    const [a, b] = [objectAt(object, ...list, first), objectAt(object, ...list, first + 1)]
    return (
      a !== undefined &&
      b !== undefined &&
      Object.keys(a).every((name) => !Object.hasOwn(b, name)) &&
      lacking(first).some((name) => Object.hasOwn(b, name)) &&
      lacking(first + 1).length > 0
    )
  }
  const name = String(field)
  if (areHalves(index)) {
    const isThere = (one: string) => valueAt(object, ...list, index + 1, one) !== undefined
    if (!isThere(name)) return undefined
    if (lacking(index).find(isThere) !== name) return 'told'
    const what = formatPath([...list, index]).slice(1)
    return {
      message: `kubectl apply is refused: ${what} has no ${name}, which stands in the next entry, behind a dash of its own.`,
      label: 'one entry with the next?',
    }
  }
  if (index === 0 || !areHalves(index - 1)) return undefined
  return valueAt(object, ...list, index - 1, name) !== undefined || lacking(index - 1).includes(name)
    ? 'told'
    : undefined
}
