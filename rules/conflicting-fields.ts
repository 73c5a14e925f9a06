import {
  formatPath,
  isSamePath,
  objectsAt,
  rule,
  type SchemaProblem,
  strayVolumes,
  stringAt,
  suggestion,
  valueAt,
} from '../src/rule.js'

type Conflict = Extract<SchemaProblem, { readonly kind: 'conflict' }>

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
as the server does it. Addresses and ranges that programs read in two ways (leading zeros, bits beyond the prefix) are refused by
servers from 1.36 on, except where an object that is there already has them.

Exempt: files beside a kustomization, and files or folders called a patch or overlay: they may hold parts of
objects. Not so the resources of a kustomization where all that is built from them is known, no patch or replacement is for the object,
and what is built is not in a folder called base, common, shared or the like. So are versions of a definition none of which is stored, where
another file has the stored one.`,
  sources: [
    'kubernetes/pkg/apis/*/validation',
    'k8s.io/apimachinery/pkg/util/validation/ip.go; kubernetes/pkg/features/kube_features.go (StrictIPCIDRValidation: on by default from 1.36)',
  ],
  stories: [],
  for: 'FaultyObject',
  check(object, { graph, minor, reportPath }) {
    const problems = graph.problems(object)
    const unknown = problems.flatMap((one) => (one.kind === 'unknown-field' ? [one] : []))
    const meant = unknown.map(({ path, root }) => suggestion(object, path, minor, root)?.path ?? [])
    const strays = strayVolumes(object, problems, minor).map((path) => stringAt(object, ...path, 'name'))
    // The other half of the contradiction is misspelt, or stands elsewhere: another finding tells that.
    const isOfStray = ({ path, message }: Conflict) =>
      unknown.some(
        (one) =>
          message.endsWith(` ${one.path.at(-1)}`) ||
          // One of the alternatives is there and empty: its fields stand beside it.
          (one.below && isSamePath(one.path.slice(0, -1), path)),
      ) ||
      (path.at(-3) === 'volumeMounts' &&
        (unknown.some((one) => one.path.at(-1) === 'volumes') ||
          meant.some((one) => one.includes('volumes') || one.includes('volumeClaimTemplates')) ||
          strays.includes(stringAt(valueAt(object, ...path))))) ||
      (path[1] === 'selector' &&
        meant.some(
          (one) =>
            (one[1] === 'selector' && one[2] === 'matchLabels' && one.length > 3) ||
            (one[1] === 'template' && one.length <= 5),
        )) ||
      (object.kind === 'Service' && meant.some((one) => formatPath(one) === '.spec.type'))
    // Versions of one definition in files of their own, which are put together: one has what the others leave out.
    const isOfPiece = ({ path }: Conflict) =>
      object.kind === 'CustomResourceDefinition' &&
      formatPath(path) === '.spec.versions' &&
      !hasStored(object) &&
      graph
        .all('CustomResourceDefinition')
        .some((one) => one.metadata?.name === object.metadata?.name && hasStored(one))
    for (const problem of problems)
      if (
        problem.kind === 'conflict' &&
        !isOfStray(problem) &&
        !isOfPiece(problem) &&
        !graph.mayComplete(object, problem.path)
      )
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

/** Whether a definition says which of its versions is stored. */
function hasStored(definition: object): boolean {
  return objectsAt(definition, 'spec', 'versions').some(({ storage }) => storage === true)
}
