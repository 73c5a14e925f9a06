import {
  type Dropped,
  firstOf,
  formatPath,
  groupBy,
  losses,
  ownValue,
  type Path,
  type RuleFix,
  rule,
  type SchemaProblem,
  type Suggestion,
  suggestion,
} from '../src/rule.js'

type Unknown = SchemaProblem & { kind: 'unknown-field' }
/** A field that stands beside the empty one that it belongs below. */
type Unindented = Unknown & { readonly below: Path }

/** What the object lacks when it is stored without the field. */
const consequences: Readonly<Record<string, string>> = {
  activeDeadlineSeconds: 'a run that hangs is never ended',
  affinity: 'pods may run on any node',
  args: 'the image runs with its own arguments',
  backoffLimit: 'a failing Job is tried 6 more times',
  command: 'the image runs with its own command',
  completions: 'the Job ends after one success',
  concurrencyPolicy: 'runs may overlap without limit',
  env: 'the program starts without these variables',
  externalTrafficPolicy: 'the policy is Cluster, the default',
  failedJobsHistoryLimit: 'one failed Job is kept, the default',
  imagePullSecrets: 'images are pulled without these credentials',
  limits: 'the container may use the whole node',
  livenessProbe: 'a container that hangs is never restarted',
  minReadySeconds: 'pods count as available at once',
  nodeSelector: 'pods may run on any node',
  parallelism: 'the Job runs one pod at a time',
  podFailurePolicy: 'every failure counts towards the limit',
  priorityClassName: 'pods have the default priority',
  readinessProbe: 'pods get traffic before they are ready',
  replicas: 'there is one replica, the default',
  requests: 'the scheduler does not reserve them',
  resources: 'the container has no requests and no limits',
  revisionHistoryLimit: 'the default number of old revisions is kept',
  securityContext: 'the container keeps the rights of its image',
  serviceAccountName: 'pods run as the default ServiceAccount',
  startingDeadlineSeconds: 'a late run starts however late it is',
  startupProbe: 'a slow start is judged by the liveness probe',
  successfulJobsHistoryLimit: 'three finished Jobs are kept, the default',
  suspend: 'runs go on',
  terminationGracePeriodSeconds: 'pods have 30 seconds to stop, the default',
  timeZone: 'the schedule is read in the time zone of the controller manager',
  tolerations: 'pods stay off tainted nodes',
  topologySpreadConstraints: 'all replicas may land on one node',
  ttlSecondsAfterFinished: 'no finished Job is deleted for its age',
  volumes: 'pods have no such volumes',
}

export default rule({
  title: 'A field stands where the API server does not know it',
  category: 'api-schema',
  severity: 'error',
  why: `A field on the wrong level is unknown there. \`kubectl apply\` and \`create\` ask for strict
validation unless told otherwise, and are refused; so is every server-side apply. For a client that asks for
nothing, as Helm 3 and Argo CD without server-side apply, the API server leaves the field out, stores the rest and
answers with a warning: whoever wrote it believes that the setting is on.`,
  remedy: 'Move the field to the place that the message names.',
  decides: `Every field is looked up in the schema of its own API version at the target version. One that is
unknown where it stands, and that the same kind has on the way up to the root or below, is reported with
that place; fields that fit in many places, and values of the wrong type for the other place, are left to
\`unknown-field\`. Text beside the name of an object belongs among its labels where one of them is called as labels are, or
is selected. Several fields with one place to go to are one finding. The fix is safe when the kind has one such place only and nothing stands there yet.

Exempt: kinds without a known schema, maps with keys of your own (\`annotations\`, \`data\`), and the other
half of a manifest that another program fills in.

In a cluster the manifests are looked at that client-side \`kubectl apply\` has left in the annotation
\`last-applied-configuration\`: a field that stands where their API version has none, that is not in the object, and
whose value has not come into the right place by other means. What the API server knew in an earlier version is
left alone, and so are manifests in a version that is gone.`,
  falsePositives: `In a cluster, objects that were once applied with kubectl and belong to another tool now: the
annotation stays as it was.`,
  versions:
    'Servers validate strictly from 1.25 on (beta, stable in 1.27); for older ones `kubectl` itself compares with their schema.',
  sources: [
    'OpenAPI documents of Kubernetes 1.22 to 1.37',
    'kubernetes/enhancements KEP-2885, Server Side Unknown Field Validation',
    'k8s.io/kubectl/pkg/cmd/util/helpers.go (AddValidateFlags: strict)',
    'k8s.io/apiserver/pkg/endpoints/handlers/rest.go (fieldValidation: Warn)',
    'helm/pkg/kube/client.go and gitops-engine/pkg/utils/kube/resource_ops.go',
  ],
  stories: ['zalando-cronjob-apiserver'],
  for: 'FaultyObject',
  live: true,
  check(object, { graph, minor, reportPath }) {
    const dropped = graph
      .problems(object)
      .filter((one): one is Dropped => one.kind === 'dropped-field' && one.wrong === 'place')
    for (const { path, message, ...options } of losses(object, dropped, consequences))
      reportPath(path, message, options)
    const unindented = graph.problems(object).filter((one): one is Unindented => below(one) !== undefined)
    for (const fields of groupBy(unindented, (one) => formatPath(emptyAbove(one))).values()) {
      const [first, ...others] = fields
      if (!first) continue
      const empty = String(emptyAbove(first).at(-1))
      const names = firstOf(fields.map(({ path }) => String(path.at(-1))))
      const [them, belong] = fields.length === 1 ? ['it', 'it belongs'] : ['them', 'they belong']
      reportPath(
        first.path,
        `kubectl apply refuses ${names} here, other clients may lose ${them}: ${belong} below ${empty}, which is empty.`,
        {
          label: 'needs more indentation',
          fix: indented([first, ...others], `move ${names} below ${empty}`),
        },
      )
    }
    for (const problem of graph.problems(object)) {
      if (problem.kind !== 'unknown-field' || problem.since !== undefined || problem.until !== undefined)
        continue
      if (problem.isNull || problem.below) continue
      const meant = suggestion(object, problem.path, minor, problem.root)
      if (meant?.wrong !== 'place') continue
      const field = String(problem.path.at(-1))
      const isBuiltin = problem.root === undefined
      const lost = isBuiltin ? ownValue(consequences, field) : undefined
      const lose = `kubectl apply refuses ${field} here, other clients may lose it`
      const parent = placeAbove(meant.place)
      reportPath(
        problem.path,
        meant.there
          ? `${lose}: the one at ${meant.place} counts.`
          : lost
            ? `${lose}: ${lost}.`
            : `${lose}: its place is ${meant.place}.`,
        {
          label: meant.there ? 'has no effect' : `did you mean ${meant.place}?`,
          fix: fixOf(field, problem.path, meant),
          among: {
            key: `${formatPath(problem.path.slice(0, -1))} ${parent}`,
            name: field,
            say: (names) =>
              `kubectl apply refuses ${firstOf(names, 4)} here, other clients may lose them: ${lost ? `${lost}; ` : ''}their place is ${parent}.`,
            mend: (names) => `move ${firstOf(names, 4)} to ${parent}`,
          },
        },
      )
    }
  },
})

function below(problem: SchemaProblem): Path | undefined {
  return problem.kind === 'unknown-field' ? problem.below : undefined
}

/** The path of the empty field that stands beside it. */
function emptyAbove({ path, below }: Unindented): Path {
  return below.slice(0, path.length)
}

/** Takes the empty fields away: what is moved makes them anew. */
function indented(fields: readonly [Unindented, ...Unindented[]], title: string): RuleFix {
  const [first] = fields
  return {
    title,
    safe: true,
    edits: [
      { op: 'remove', path: emptyAbove(first) },
      ...fields.map(({ path, below, isNull }) =>
        isNull ? { op: 'remove' as const, path } : { op: 'move' as const, path, to: below },
      ),
    ],
  }
}

function fixOf(field: string, path: readonly (string | number)[], meant: Suggestion): RuleFix {
  if (meant.there) return { title: `remove ${field} here`, safe: true, edits: [{ op: 'remove', path }] }
  return {
    title: `move ${field} to ${placeAbove(meant.place)}`,
    safe: meant.only,
    edits: meant.path ? [{ op: 'move', path, to: meant.path }] : [],
  }
}

/** The place that a field's place is in. */
function placeAbove(place: string): string {
  return place.replace(/(?:\.[\w$-]+|\["[^"]*"\])$/, '') || 'the top'
}
