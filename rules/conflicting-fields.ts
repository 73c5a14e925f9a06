import { formatPath, type Path, rule, strayVolumes, stringAt, valueAt } from '../src/rule.js'

export default rule({
  title: 'Fields that contradict each other',
  category: 'api-schema',
  severity: 'error',
  why: `Every field by itself is right, and the API server refuses them together: a selector that its own
pods do not match, a mount of a volume that the pod does not have, two sources where one is possible. Every
\`kubectl apply\`, sync and reconciliation of the object fails.`,
  remedy: 'Make the two fields agree.',
  decides: `The checks are those of the API server's validation that need nothing but the object, each tried with a
real server; the list is in docs/validation.md. Of custom objects they are \`allOf\`, \`anyOf\`, \`oneOf\` and
\`not\` of their CustomResourceDefinition. Objects that cannot be decoded get the findings of \`wrong-type\` first,
as the server does it.

Exempt: files beside a kustomization, and files or folders called a patch or overlay: they hold parts of
objects.`,
  sources: ['kubernetes/pkg/apis/*/validation'],
  stories: [],
  for: 'FaultyObject',
  check(object, { graph, minor, reportPath }) {
    const problems = graph.problems(object)
    // A mount whose volume is in a list that stands elsewhere: another finding tells that.
    const hasStrayVolumes = problems.some(
      ({ kind, path }) => kind === 'unknown-field' && path.at(-1) === 'volumes',
    )
    const strays = strayVolumes(object, problems, minor).map((path) => stringAt(object, ...path, 'name'))
    const isOfStray = (path: Path) =>
      path.at(-3) === 'volumeMounts' &&
      (hasStrayVolumes || strays.includes(stringAt(valueAt(object, ...path))))
    for (const problem of problems)
      if (problem.kind === 'conflict' && !isOfStray(problem.path) && !graph.kustomized(object))
        reportPath(
          problem.path,
          `kubectl apply is refused: ${formatPath(problem.path).slice(1) || object.kind} ${problem.message}.`,
          // A hook that sleeps longer than the grace period: that rule knows how to make it fit.
          problem.path.at(-2) === 'sleep'
            ? { symptomOf: { rules: ['grace-shorter-than-drain'], objects: [object] } }
            : {},
        )
  },
})
